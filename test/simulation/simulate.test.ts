import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { brokenModules, brokenVariants } from './world/broken-variants.ts'
import { makePlan } from './world/make-plan.ts'
import { runPlan } from './world/run-plan.ts'
import { shrinkPlan } from './world/shrink-plan.ts'
import { WorkerPool } from './world/worker-pool.ts'

/** More by hand: `npm run simulate -- --seeds 1..10000` */
const fixedSeeds = [
  ...Array.from({ length: 60 }, (_, index) => index + 1),
  // What they found: a partition that two starts began, a shard that was borrowed after it was lost; and brokers that
  // forgot a producer which had yet to send a batch again.
  ...[989, 3945, 9170],
]
const run = { strictness: 'exactly-once' } as const

describe('a simulated run', () => {
  test('is the same again, event by event, with the same seed', async () => {
    for (const seed of [3, 17, 45]) {
      const [first, second] = [await runPlan(makePlan(seed), run), await runPlan(makePlan(seed), run)]
      assert.equal(second.digest, first.digest, `seed ${seed}`)
      assert.deepEqual(makePlan(seed), makePlan(seed))
    }
    assert.notEqual(
      (await runPlan(makePlan(3), run)).digest,
      (await runPlan(makePlan(4), run)).digest,
      'another seed is another run',
    )
  })

  test('strikes with faults, and copies records', async () => {
    const outcome = await runPlan(makePlan(5), run)
    assert(outcome.faults >= 10, `${outcome.faults} faults`)
    assert(outcome.records > 0)
  })

  test('asks offset maps for positions, unless it keeps none', async () => {
    const [some, none] = [await runPlan(makePlan(6), run), await runPlan(makePlan(5), run)]
    assert(some.translations > 500, `${some.translations} positions`)
    assert.equal(none.translations, 0)
  })

  test('has groups that are followed, and some that the target uses itself', async () => {
    const plan = makePlan(15)
    assert.equal(plan.setup.groups, 2)
    assert(plan.events.some(({ kind }) => kind === 'join-on-target' || kind === 'commit-on-target'))
    const { groupCommits } = await runPlan(plan, run)
    assert(groupCommits >= 10, `${groupCommits} commits`)
  })
})

describe('the product in a simulated world', () => {
  let pool: WorkerPool
  before(() => {
    pool = new WorkerPool(2, { variant: undefined })
  })
  after(() => pool.close())

  test('keeps every promise', async (t) => {
    // No clock and no generator of the simulation's own: these seeds are new in every run.
    const newSeeds = Array.from({ length: 10 }, () => 1 + Math.floor(Math.random() * 2 ** 31))
    t.diagnostic(`new seeds: ${newSeeds.join(', ')}; again with npm run simulate -- --seed N`)
    let faults = 0
    const broken: string[] = []
    const jobs = [...fixedSeeds, ...newSeeds].map((seed) => ({ kind: 'seed' as const, seed, plan: {}, run }))
    await pool.each(jobs, (outcome, { seed }) => {
      faults += outcome.faults
      if (outcome.violation !== undefined) broken.push(`seed ${seed}: ${outcome.violation.detail}`)
    })
    t.diagnostic(`${jobs.length} seeds, ${faults} faults`)
    assert.deepEqual(broken, [])
  })
})

describe('a broken variant', () => {
  for (const variant of brokenVariants) {
    test(`${variant.name} still replaces what is there`, () => {
      assert(brokenModules(variant).size > 0)
    })

    const { name, foundBy } = variant
    const plan = typeof foundBy === 'number' ? makePlan(foundBy) : foundBy
    test(`${name} is found: it ${variant.story}`, async (t) => {
      const pool = new WorkerPool(1, { variant: name })
      try {
        const broken = await pool.ask({ kind: 'plan', plan, run })
        assert(
          broken.violation !== undefined,
          `${typeof foundBy === 'number' ? `seed ${foundBy}` : 'its plan'} does not find it any more: look for another one`,
        )
        t.diagnostic(broken.violation.detail)
      } finally {
        await pool.close()
      }
      const sound = await runPlan(plan, run)
      assert.equal(sound.violation, undefined, 'the same finds nothing in the product as it is')
    })
  }

  test('is shrunk to what it needs', async () => {
    const pool = new WorkerPool(1, { variant: 'count-one-less' })
    try {
      const foundBy = brokenVariants.find(({ name }) => name === 'count-one-less')?.foundBy
      assert(typeof foundBy === 'number')
      const plan = makePlan(foundBy)
      const shrunk = await pool.ask({ kind: 'shrink', plan, run })
      assert(
        shrunk.plan.events.length < plan.events.length / 2,
        `${shrunk.plan.events.length} events are left`,
      )
      assert(shrunk.outcome.violation !== undefined)
    } finally {
      await pool.close()
    }
    const sound = makePlan(1)
    const outcome = await runPlan({ ...sound, events: [] }, run)
    assert.equal((await shrinkPlan({ ...sound, events: [] }, outcome, run)).plan.events.length, 0)
  })
})
