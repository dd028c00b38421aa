import * as wire from '@platformatic/kafka'

export interface EpochDriverOptions {
  readonly bootstrap: string
  readonly transactionalId: string
  readonly connection?: wire.ConnectionOptions
}

/** Requests sent before the first answer is awaited. */
const burst = 100

/**
 * Calls InitProducerId until the id's epoch is `epoch`, as a very long life of takeovers would. Brokers take well under
 * a millisecond each. For a broker that is the coordinator of every id: a cluster of one.
 */
export async function driveEpoch(
  { bootstrap, transactionalId, connection: options = {} }: EpochDriverOptions,
  epoch: number,
): Promise<{ readonly producerId: bigint; readonly producerEpoch: number }> {
  const [host = '', port = ''] = bootstrap.split(':')
  const connection = new wire.Connection('epoch-driver', options)
  await connection.connect(host, Number(port))
  try {
    await wire.findCoordinatorV4.api.async(connection, 1, [transactionalId])
    const next = () => wire.initProducerIdV4.api.async(connection, transactionalId, 60_000, -1n, -1)
    let last = await next()
    while (last.producerEpoch < epoch) {
      const calls = Math.min(burst, epoch - last.producerEpoch)
      const answers = await Promise.all(Array.from({ length: calls }, next))
      last = answers.reduce((a, b) => (b.producerEpoch > a.producerEpoch ? b : a))
    }
    return last
  } finally {
    await connection.close()
  }
}
