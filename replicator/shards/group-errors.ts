import { KafkaError } from '../kafka/errors.ts'

const INCONSISTENT_GROUP_PROTOCOL = 23
const INVALID_SESSION_TIMEOUT = 26
const FENCED_INSTANCE_ID = 82

/** What a refusal by a flow's group means to whoever runs its replicas. */
export function explainedGroupError(
  error: KafkaError,
  { group, shards, instanceId }: { group: string; shards: number; instanceId: string | undefined },
): KafkaError {
  const told = explanations(group, shards, instanceId).find(({ code }) => code === error.code)
  if (told === undefined) return error
  const { cluster, kind, code, retriable, refreshMetadata } = error
  const { summary, wayOut } = told
  const during = `joining the group ${group}`
  return new KafkaError({
    cluster,
    during,
    kind,
    code,
    retriable,
    refreshMetadata,
    summary,
    wayOut,
    cause: error,
  })
}

const explanations = (group: string, shards: number, instanceId: string | undefined) => [
  {
    code: INCONSISTENT_GROUP_PROTOCOL,
    summary: `other replicas of this flow do not share ${shards} shards as this one does: they are configured for another number, or are of another version, or another application uses the group ${group}`,
    wayOut: 'Configure all replicas alike; this one waits until the others are gone.',
  },
  {
    code: INVALID_SESSION_TIMEOUT,
    summary: "the brokers do not allow this group's session timeout",
    wayOut:
      'Set replicas.sessionTimeout between group.min.session.timeout.ms and group.max.session.timeout.ms of the brokers.',
  },
  {
    code: FENCED_INSTANCE_ID,
    summary: `another process took the place of replicas.instanceId ${instanceId ?? ''}`,
    wayOut: 'Give every replica an instanceId of its own, and start its successor only after it has ended.',
  },
]
