import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Consumer, Kafka } from 'kafkajs'
import type { CommittedOffset } from '../../replicator/kafka/consumer-groups.ts'
import type { ReadRecord } from '../kill/read-records.ts'
import { until } from './replicate-process.ts'
import type { TrapScene } from './traps-scene.ts'

type Side = 'source' | 'target'

/** A consumer group of the scene's topic, seen from both clusters. */
export class SceneGroup {
  readonly name: string
  readonly #scene: TrapScene

  constructor(scene: TrapScene, name = `group-${randomUUID().slice(0, 8)}`) {
    this.#scene = scene
    this.name = name
  }

  /** Commits as a tool does, while the group has no members. */
  async commit(
    offset: bigint,
    { side = 'source', metadata = '', partition = 0 }: CommitOptions = {},
  ): Promise<void> {
    const commit = { topic: this.#scene.topic, partition, offset, metadata, leaderEpoch: undefined }
    const outcome = await this.#scene[side].commitGroupOffsets(this.name, [commit])
    assert(outcome.kind === 'answered' && outcome.partitions[0]?.result.ok, JSON.stringify(outcome))
  }

  async committed(side: Side, partition = 0): Promise<CommittedOffset | undefined> {
    const at = { topic: this.#scene.topic, partition }
    const [answer] = await this.#scene[side].groupOffsets([{ group: this.name, partitions: [at] }], {
      requireStable: false,
    })
    assert(answer?.result.ok)
    const [offset] = answer.result.value
    if (offset === undefined) return undefined
    assert(offset.result.ok)
    return offset.result.value
  }

  /** Waits until the group stands there on the target. */
  async stands(offset: bigint | undefined, partition = 0): Promise<void> {
    let last: CommittedOffset | undefined
    await until(
      `${this.name} at ${offset} on the target`,
      async () => {
        last = await this.committed('target', partition)
        return last?.offset === offset || undefined
      },
      () => `it stands at ${last?.offset}\n${this.#scene.words()}`,
    )
  }
}

interface CommitOptions {
  readonly side?: Side
  readonly metadata?: string
  readonly partition?: number
}

/** Where the copy of a partition goes on for who has read the source below a position: as a person would work it out. */
export function truePlace(
  source: readonly ReadRecord[],
  target: readonly ReadRecord[],
  position: bigint,
): bigint | undefined {
  const below = source.filter(({ offset }) => offset < position).length
  return target[below]?.offset
}

interface ReadOn {
  readonly kafka: Kafka
  readonly group: string
  readonly topic: string
}

/** A kafkajs consumer of the group; keeps every value it is given, and commits only when it is told to. */
export class GroupReader {
  readonly values: string[] = []
  readonly #consumer: Consumer
  readonly #next = new Map<number, bigint>()
  readonly #topic: string

  private constructor({ kafka, group, topic }: ReadOn) {
    this.#topic = topic
    this.#consumer = kafka.consumer({ groupId: group, sessionTimeout: 6_000, maxWaitTimeInMs: 100 })
  }

  static async start(options: ReadOn): Promise<GroupReader> {
    const reader = new GroupReader(options)
    const consumer = reader.#consumer
    await consumer.connect()
    await consumer.subscribe({ topics: [options.topic], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        reader.values.push(message.value?.toString() ?? '')
        reader.#next.set(partition, BigInt(message.offset) + 1n)
      },
    })
    return reader
  }

  /** Commits what was read up to now. @returns how many values that is, and the position in partition 0 */
  async commit(): Promise<{ readonly values: number; readonly position: bigint }> {
    const values = this.values.length
    const offsets = [...this.#next].map(([partition, offset]) => ({
      topic: this.#topic,
      partition,
      offset: `${offset}`,
    }))
    await this.#consumer.commitOffsets(offsets)
    return { values, position: this.#next.get(0) ?? 0n }
  }

  async has(count: number): Promise<void> {
    await until(`${count} values`, () => this.values.length >= count || undefined)
  }

  stop(): Promise<void> {
    return this.#consumer.disconnect()
  }
}
