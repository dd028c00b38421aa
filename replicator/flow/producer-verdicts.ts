import { producerId } from '../records/batch-header.ts'
import { LastProducer } from '../records/last-producer.ts'

/**
 * A verdict about producers as one about batches, asked once for neighbours of one producer. What was once said of an
 * id must hold for good.
 */
export function batchVerdict(
  judge: (producerId: bigint) => boolean,
): (buffer: Buffer, at: number) => boolean {
  const last = new LastProducer()
  let verdict = judge(-1n)
  return (buffer, at) => {
    if (!last.isSame(buffer, at)) verdict = judge(producerId(buffer, at))
    return verdict
  }
}
