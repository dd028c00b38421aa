import { parentPort, workerData } from 'node:worker_threads'
import { breakProduct } from './broken-variants.ts'
import type { Job, WorkerSettings } from './jobs.ts'

const { variant } = workerData as WorkerSettings
if (variant !== undefined) breakProduct(variant)

// Only now: the product's modules are read when these are.
const { makePlan } = await import('./make-plan.ts')
const { runPlan } = await import('./run-plan.ts')
const { shrinkPlan } = await import('./shrink-plan.ts')

async function work(job: Job): Promise<unknown> {
  const plan = job.kind === 'seed' ? makePlan(job.seed, job.plan) : job.plan
  const outcome = await runPlan(plan, job.run)
  return job.kind === 'shrink' ? shrinkPlan(plan, outcome, job.run) : { ...outcome, plan }
}

parentPort?.on('message', ({ id, job }: { id: number; job: Job }) => {
  work(job).then(
    (answer) => parentPort?.postMessage({ id, answer }),
    (error: unknown) =>
      parentPort?.postMessage({ id, failure: error instanceof Error ? error.stack : String(error) }),
  )
})
