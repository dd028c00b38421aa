import { Worker } from 'node:worker_threads'
import type { Job, JobAnswer, WorkerSettings } from './jobs.ts'

interface Asked {
  readonly job: Job
  readonly resolve: (answer: never) => void
  readonly reject: (error: Error) => void
}

/** Simulates on several cores, one run at a time on each. */
export class WorkerPool {
  readonly #workers: readonly Worker[]
  readonly #idle: Worker[]
  readonly #waiting: Asked[] = []
  readonly #working = new Map<number, { asked: Asked; worker: Worker }>()
  #ids = 0

  constructor(size: number, settings: WorkerSettings) {
    const file = new URL('./seed-worker.ts', import.meta.url)
    this.#workers = Array.from({ length: size }, () => new Worker(file, { workerData: settings }))
    this.#idle = [...this.#workers]
    for (const worker of this.#workers) {
      worker.on('message', (message: { id: number; answer?: never; failure?: string }) => {
        const working = this.#working.get(message.id)
        this.#working.delete(message.id)
        if (message.failure === undefined) working?.asked.resolve(message.answer as never)
        else working?.asked.reject(new Error(message.failure))
        this.#idle.push(worker)
        this.#next()
      })
      worker.on('error', (error) => {
        const all = [...this.#waiting.splice(0), ...[...this.#working.values()].map(({ asked }) => asked)]
        for (const asked of all) asked.reject(error instanceof Error ? error : new Error(String(error)))
      })
    }
  }

  get size(): number {
    return this.#workers.length
  }

  ask<J extends Job>(job: J): Promise<JobAnswer<J>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject })
      this.#next()
    })
  }

  /** Asks about each of many in turn, keeping every worker busy; ends early when `enough` says so. */
  async each<J extends Job>(
    jobs: Iterable<J>,
    told: (answer: JobAnswer<J>, job: J) => void,
    enough: () => boolean = () => false,
  ): Promise<void> {
    const left = jobs[Symbol.iterator]()
    const lane = async (): Promise<void> => {
      while (!enough()) {
        const next = left.next()
        if (next.done) return
        told(await this.ask(next.value), next.value)
      }
    }
    await Promise.all(Array.from({ length: this.size * 2 }, lane))
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #next(): void {
    while (this.#idle.length > 0 && this.#waiting.length > 0) {
      const worker = this.#idle.pop()!
      const asked = this.#waiting.shift()!
      const id = this.#ids++
      this.#working.set(id, { asked, worker })
      worker.postMessage({ id, job: asked.job })
    }
  }
}
