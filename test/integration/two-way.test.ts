import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type ReplicateProcess, until } from './replicate-process.ts'
import { storedBatches } from './stored-batches.ts'
import { type Alias, aliases, RegionWriter, TwoRegions } from './two-regions.ts'

let regions: TwoRegions

before(async () => {
  regions = await TwoRegions.start()
})
after(() => regions?.close())

async function writersOf(topic: string): Promise<readonly RegionWriter[]> {
  const writers = aliases.map((alias) => new RegionWriter(regions, alias, topic))
  for (const writer of writers) await writer.connect()
  return writers
}

/** Both regions write, several rounds to every partition. */
async function write(writers: readonly RegionWriter[], partitions: number, rounds: number): Promise<void> {
  await Promise.all(
    writers.map(async (writer) => {
      for (let round = 0; round < rounds; round++)
        for (let partition = 0; partition < partitions; partition++) await writer.round(partition)
    }),
  )
}

/** Each side holds what the clients of both wrote, each region's in order, and not a record more. */
async function judge(topic: string, writers: readonly RegionWriter[], partitions: number): Promise<void> {
  const seen = {
    'us-east': await regions.read('us-east', topic),
    'eu-west': await regions.read('eu-west', topic),
  }
  for (let partition = 0; partition < partitions; partition++) {
    const on = (alias: Alias) => seen[alias].filter((record) => record.partition === partition)
    for (const { alias: origin, written } of writers) {
      const expected = written.get(partition) ?? []
      assert(expected.length > 0)
      const from = (alias: Alias) => on(alias).filter(({ value }) => value?.startsWith(`${origin} `))
      for (const alias of aliases)
        assert.deepEqual(
          from(alias).map(({ value }) => value),
          expected,
          `records of ${origin} on ${alias}, partition ${partition}`,
        )
      const content = (alias: Alias) => from(alias).map(({ offset: _, ...rest }) => rest)
      assert.deepEqual(content('us-east'), content('eu-west'))
    }
    for (const alias of aliases)
      assert.equal(
        on(alias).length,
        writers.reduce((sum, { written }) => sum + (written.get(partition)?.length ?? 0), 0),
      )
  }
}

describe('one name on both sides, both directions at once', { timeout: 280_000 }, () => {
  test('in one process, killed and started again: each side ends with both sides’ records, once, in order', async () => {
    const topic = await regions.createTopic('one-process', 3)
    const config = regions.config(topic)
    const writers = await writersOf(topic)
    await write(writers, 3, 1)
    let process = await regions.replicate(config)
    await process.ready()
    for (let kill = 0; kill < 2; kill++) {
      const writing = write(writers, 3, 2)
      await until('something is copied', async () => {
        const { body } = await process.health('/healthz')
        return body.flows.every(({ records }) => records > 0) || undefined
      })
      await process.kill()
      await writing
      process = await regions.replicate(config)
      await write(writers, 3, 1)
      await process.ready()
    }
    await write(writers, 3, 1)
    const reports = await regions.caughtUp(config)
    assert.deepEqual(
      reports.map(({ flow, scope }) => [flow, scope]),
      [
        ['us-east->eu-west', 'own'],
        ['eu-west->us-east', 'own'],
      ],
    )
    await judge(topic, writers, 3)
    await process.stop()
    // A start after an orderly end goes on where it was.
    process = await regions.replicate(config)
    await process.ready()
    await write(writers, 3, 1)
    await regions.caughtUp(config)
    await process.stop()
    await judge(topic, writers, 3)
    for (const writer of writers) await writer.disconnect()
  })

  test('in two processes, one per direction, killed in turns', async () => {
    const topic = await regions.createTopic('two-processes', 2)
    const config = regions.config(topic)
    const writers = await writersOf(topic)
    await write(writers, 2, 1)
    const start = async (alias: Alias): Promise<ReplicateProcess> => regions.replicate(config, alias)
    // The first direction copies before the other one ever registered anything.
    const processes = new Map([['us-east' as Alias, await start('us-east')]])
    await processes.get('us-east')?.ready()
    await write(writers, 2, 1)
    processes.set('eu-west', await start('eu-west'))
    for (const alias of aliases) {
      const writing = write(writers, 2, 2)
      await processes.get(alias)?.ready()
      await processes.get(alias)?.kill()
      await writing
      processes.set(alias, await start(alias))
    }
    await write(writers, 2, 1)
    await regions.caughtUp(config)
    for (const process of processes.values()) await process.stop()
    await judge(topic, writers, 2)
    for (const writer of writers) await writer.disconnect()
  })

  test('copies are known where the cleaner has been, also by a direction that starts later', async () => {
    const configs = {
      'cleanup.policy': 'compact',
      'segment.ms': '1000',
      'min.cleanable.dirty.ratio': '0.001',
    }
    const topic = await regions.createTopic('compacted', 1, configs)
    const config = regions.config(topic)
    const writers = await writersOf(topic)
    // Batches are seconds apart by their time, so that segments end between them: the active one is not cleaned. Later
    // than now, as the fence's markers are of now.
    const begin = Date.now() + 60_000
    const writeAll = async (step: number, rest: string) => {
      for (const writer of writers)
        await writer.write(0, begin + step * 10_000, {
          [`${writer.alias} changes`]: `${step}`,
          [`${writer.alias} ${rest}`]: 'stays',
        })
    }
    const from = async (origin: Alias, on: Alias) =>
      (await regions.read(on, topic))
        .filter(({ key }) => key?.startsWith(`${origin} `))
        .map(({ key, value }) => `${key}=${value}`)
    const arrived = (origin: Alias, on: Alias, record: string) =>
      until(
        `${record} of ${origin} on ${on}`,
        async () => (await from(origin, on)).includes(`${origin} ${record}`) || undefined,
      )

    for (const step of [0, 1, 2]) await writeAll(step, `first ${step}`)
    const there = await regions.replicate(config, 'us-east')
    await arrived('us-east', 'eu-west', 'changes=2')
    for (const step of [3, 4]) await writeAll(step, `second ${step}`)
    await arrived('us-east', 'eu-west', 'changes=4')
    await until('the cleaner was at the copies', async () => {
      const batches = await storedBatches(regions.clusters['eu-west'], topic)
      const ids = new Set(batches.filter(({ control }) => control).map(({ producerId }) => producerId))
      const isGapped = batches.some(
        ({ producerId, control, records, lastOffset, baseOffset }) =>
          ids.has(producerId) && !control && BigInt(records) <= lastOffset - baseOffset,
      )
      return isGapped || undefined
    })
    const back = await regions.replicate(config, 'eu-west')
    await arrived('eu-west', 'us-east', 'changes=4')
    await writeAll(5, 'third')
    for (const [origin, on] of [
      ['us-east', 'eu-west'],
      ['eu-west', 'us-east'],
    ] as const)
      await arrived(origin, on, 'third=stays')
    await regions.caughtUp(config)
    await there.stop()
    await back.stop()
    const latest = (records: readonly string[]) =>
      new Map(records.map((text) => text.split('=') as [string, string]))
    for (const origin of aliases) {
      const [own = [], copied = []] = await Promise.all(aliases.map((on) => from(origin, on)))
      for (const records of [own, copied])
        assert.equal(new Set(records).size, records.length, `nothing twice: ${records.join(', ')}`)
      assert.equal(latest(own).size, 7)
      assert.deepEqual(latest(copied), latest(own))
    }
    for (const writer of writers) await writer.disconnect()
  })
})
