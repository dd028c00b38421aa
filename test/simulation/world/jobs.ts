import type { PlanOptions } from './make-plan.ts'
import type { Plan } from './plan.ts'
import type { Outcome, RunOptions } from './run-plan.ts'
import type { Shrunk } from './shrink-plan.ts'

/** What a worker is asked to do, and what it answers. */
export type Job =
  | { readonly kind: 'seed'; readonly seed: number; readonly plan: PlanOptions; readonly run: RunOptions }
  | { readonly kind: 'plan'; readonly plan: Plan; readonly run: RunOptions }
  | { readonly kind: 'shrink'; readonly plan: Plan; readonly run: RunOptions }

export type JobAnswer<J extends Job> = J extends { kind: 'shrink' }
  ? Shrunk
  : Outcome & { readonly plan: Plan }

export interface WorkerSettings {
  /** Name of a broken variant of the product, or `undefined` for the product as it is. */
  readonly variant: string | undefined
}
