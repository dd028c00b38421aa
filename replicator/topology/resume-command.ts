import type { FlowId } from './model.ts'

/** What `causeway flow resume` goes on with. */
export interface ResumePlace {
  readonly flow: FlowId
  /** The source topic. */
  readonly topic: string
  /** `undefined`: every partition that the flow takes. */
  readonly partition: number | undefined
}

/** The command line that lets a stopped partition go on, ready to be typed. */
export function resumeCommand(
  { flow, topic, partition }: ResumePlace,
  from: 'next' | 'earliest' | 'latest' | bigint,
): string {
  const what = partition === undefined ? topic : `${topic}/${partition}`
  // A flow's id holds a `>`, which a shell would take for itself.
  return `causeway flow resume -c causeway.yaml ${what} --flow '${flow}' --from ${from}`
}
