import { checkpointKeys, heartbeatKeys } from '../../../../replicator/config/mm2/checkpoint-keys.ts'
import { clientKeys, connectionKeys } from '../../../../replicator/config/mm2/client-keys.ts'
import { sharedKeys, sourceKeys } from '../../../../replicator/config/mm2/connector-keys.ts'
import type { KeyKind, KeyMeaning } from '../../../../replicator/config/mm2/key-meaning.ts'
import { driverKeys, ownKeys, workerKeys } from '../../../../replicator/config/mm2/runtime-keys.ts'

const parts: readonly (readonly [title: string, keys: readonly KeyMeaning[]])[] = [
  ['Clusters and driver', driverKeys],
  ['Copying (MirrorSourceConnector)', sourceKeys],
  ['Groups and checkpoints (MirrorCheckpointConnector)', checkpointKeys],
  ['Heartbeats (MirrorHeartbeatConnector)', heartbeatKeys],
  ['All connectors', sharedKeys],
  ['Connections', connectionKeys],
  ['Consumers (`consumer.`)', clientKeys.consumer],
  ['Producers (`producer.`)', clientKeys.producer],
  ['Admin clients (`admin.`)', clientKeys.admin],
  ['Connect worker', workerKeys],
  ['Keys for Causeway alone', ownKeys],
]

const words: Readonly<Record<KeyKind, string>> = {
  same: 'same',
  differs: '**differs**',
  'not-needed': 'not needed',
  refused: '**refused**',
}

/** The part of docs/from-mirrormaker2.md that is made from the keys' meanings. */
export function keyTables(): string {
  return parts
    .map(([title, keys]) =>
      [
        `### ${title}`,
        '',
        '| Key | Default there | Here | |',
        '| --- | --- | --- | --- |',
        ...rowsOf(keys),
      ].join('\n'),
    )
    .join('\n\n')
}

/** Keys of one meaning share a row. */
function rowsOf(keys: readonly KeyMeaning[]): readonly string[] {
  const groups = Map.groupBy(keys, ({ kind, here, byDefault = '', accepts = [] }) =>
    JSON.stringify([kind, here, byDefault, accepts]),
  )
  return [...groups.values()].map((group) => {
    const names = group.map(({ key }) => `\`${key}\``).join(', ')
    const { kind = 'same', here = '', byDefault, accepts = [] } = group[0] ?? {}
    const fine = accepts
      .filter((value) => value !== '' && !value.includes('.'))
      .map((value) => `\`${value}\``)
    const word =
      kind === 'refused' && fine.length > 0 ? `${words[kind]}, but ${fine.join(', ')}` : words[kind]
    return `| ${names} | ${byDefault === undefined ? '' : `\`${byDefault}\``} | ${word} | ${here} |`
  })
}

export const tablesBegin = '<!-- keys: made by test/replicator/config/mm2/write-key-tables.ts -->'
export const tablesEnd = '<!-- end of keys -->'
