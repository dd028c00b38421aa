import type { HealthServer } from '../../http/health-server.ts'
import { startHealthServer } from '../../http/health-server.ts'
import type { BrokerSource } from '../../local/kafka-files.ts'
import type { Output } from '../output.ts'
import { consoleTools } from './console-commands.ts'
import type { DemoCluster } from './demo-clusters.ts'
import type { LiveReplication } from './replicate-live.ts'

export interface ExploreOptions {
  readonly installation: BrokerSource | undefined
  readonly source: DemoCluster
  readonly target: DemoCluster
  readonly replication: LiveReplication
  readonly output: Output
  /** Gets what is started here, to be ended by whoever owns it. */
  readonly undo: AsyncDisposableStack
  readonly signal: AbortSignal
}

/** Says what there is to explore, and waits for the signal, or for the end of replication. */
export async function explore(options: ExploreOptions): Promise<void> {
  const { output, undo, replication, signal } = options
  const health = await startHealthServer({ host: '127.0.0.1', port: 0 }, replication)
  undo.defer(() => health.close())
  output.line('')
  for (const line of guide(options, health)) output.line(line)
  const over = AbortSignal.any([signal, replication.failed])
  if (!over.aborted) {
    // The brokers are child processes and the flow holds sockets: the process stays by itself.
    await new Promise<void>((resolve) => over.addEventListener('abort', () => resolve(), { once: true }))
  }
  if (replication.failed.aborted) throw replication.failed.reason
  output.note('Stopping ...')
}

/** What to try, as lines. */
export function guide(
  { installation, source, target }: Pick<ExploreOptions, 'installation' | 'source' | 'target'>,
  health: Pick<HealthServer, 'port'>,
): readonly string[] {
  const at = ({ bootstrap }: DemoCluster) => bootstrap.join(',')
  const { setup, command } = consoleTools(installation)
  return [
    `Both regions keep running, and so does replication. Ctrl-C ends ${source.given && target.given ? 'replication' : 'everything'}.`,
    '',
    `  ${source.alias}  ${at(source)}`,
    `  ${target.alias}  ${at(target)}`,
    `  health   http://127.0.0.1:${health.port}/readyz`,
    '',
    ...(setup === undefined ? [] : ['In another terminal, first:', `  ${setup}`]),
    `Read the copy in ${target.alias}, and wait for more:`,
    `  ${command('consumer')} --bootstrap-server ${at(target)} --topic orders.placed --from-beginning`,
    `Write to ${source.alias}, a line per record, and watch it arrive:`,
    `  ${command('producer')} --bootstrap-server ${at(source)} --topic orders.placed`,
    `Make a topic that the topology selects (orders.*); within seconds ${target.alias} has it:`,
    `  ${command('topics')} --bootstrap-server ${at(source)} --create --topic orders.mine --partitions 3`,
    `  ${command('topics')} --bootstrap-server ${at(target)} --describe --topic orders.mine`,
  ]
}
