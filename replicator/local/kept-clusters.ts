import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { LocalBroker, LocalCluster, LocalClusterOptions } from './cluster-options.ts'
import { givenBrokers } from './given-brokers.ts'
import type { BrokerSource } from './kafka-files.ts'
import { endAbandonedCluster, startLocalCluster } from './local-cluster.ts'
import { explainFileError, LocalError } from './local-error.ts'

/** A cluster that lives on after the command that started it. */
export interface KeptCluster {
  readonly alias: string
  readonly bootstrap: readonly string[]
  /** Empty for brokers given by hand. */
  readonly brokers: readonly LocalBroker[]
  /** Holds data, logs and credentials; absent for brokers given by hand. */
  readonly folder?: string
  /** JSON with `bootstrap`, `mechanism`, `username`, `password`, `caFile`, mode 600; only for secure clusters. */
  readonly credentialsFile?: string
}

/** A kept cluster with what was found when looking. */
export interface KeptClusterStatus extends KeptCluster {
  readonly state: 'up' | 'partly-up' | 'down'
  readonly brokersUp: number
}

export interface KeepOptions extends Pick<LocalClusterOptions, 'brokers' | 'secure' | 'brokerConfig'> {
  /** Asked only when brokers must be started. */
  readonly source: () => Promise<BrokerSource>
  /** Default: this process's environment. */
  readonly env?: NodeJS.ProcessEnv
}

/** `${XDG_STATE_HOME:-~/.local/state}/causeway`: which clusters are kept, and their folders. */
export function stateFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = env.XDG_STATE_HOME
  return join(base === undefined || base === '' ? join(homedir(), '.local', 'state') : base, 'causeway')
}

/**
 * Starts one cluster per region and leaves them running. All or none: when one fails, the others are stopped.
 * @throws LocalError; `bad-request` when a region is already kept.
 */
export async function keepClusters(
  regions: readonly string[],
  options: KeepOptions,
  signal: AbortSignal,
): Promise<readonly KeptCluster[]> {
  const env = options.env ?? process.env
  const before = await readState(env)
  const present = before.find(({ alias }) => regions.includes(alias))
  if (present !== undefined) {
    const remedy = 'Look with `causeway local status`, end it with `causeway local down`.'
    throw new LocalError('bad-request', `A cluster for ${present.alias} is already there.`, remedy)
  }
  const given = regions.flatMap((alias) => {
    const bootstrap = givenBrokers(alias, env)
    return bootstrap === undefined ? [] : [{ alias, bootstrap, brokers: [] }]
  })
  const wanted = regions.filter((alias) => !given.some((cluster) => cluster.alias === alias))
  const started = wanted.length === 0 ? [] : await startAll(wanted, options, env, signal)
  try {
    const kept = [...given, ...started.map(describe)]
    const ordered = regions.flatMap((alias) => kept.filter((cluster) => cluster.alias === alias))
    // Recorded first: whatever happens in between, the clusters are guarded or known.
    await writeState([...(await readState(env)), ...ordered], env)
    await Promise.all(started.map((cluster) => cluster.detach()))
    return ordered
  } catch (error) {
    await Promise.all(started.map((cluster) => cluster.stop()))
    throw explainFileError(error, stateFolder(env))
  }
}

/** Ends kept clusters and removes their folders: those of `regions`, or all. Returns the names of those ended. */
export async function endKeptClusters(
  regions: readonly string[] | undefined,
  env: NodeJS.ProcessEnv = process.env,
): Promise<readonly string[]> {
  const state = await readState(env)
  const ended = state.filter(({ alias }) => regions === undefined || regions.includes(alias))
  const unknown = (regions ?? []).find((alias) => !ended.some((cluster) => cluster.alias === alias))
  if (unknown !== undefined) {
    throw new LocalError('bad-request', `There is no cluster for ${unknown}.`, 'See `causeway local status`.')
  }
  for (const { folder } of ended) if (folder !== undefined) await endAbandonedCluster(folder)
  await writeState(
    (await readState(env)).filter(({ alias }) => !ended.some((cluster) => cluster.alias === alias)),
    env,
  )
  return ended.map(({ alias }) => alias)
}

/** Kept clusters, and how many brokers of each accept connections now. */
export async function keptClusterStatus(
  env: NodeJS.ProcessEnv = process.env,
): Promise<readonly KeptClusterStatus[]> {
  const state = await readState(env)
  return Promise.all(
    state.map(async (cluster) => {
      const answers = await Promise.all(cluster.bootstrap.map((address) => accepts(address)))
      const brokersUp = answers.filter((up) => up).length
      const all = brokersUp === answers.length
      return { ...cluster, brokersUp, state: all ? 'up' : brokersUp > 0 ? 'partly-up' : 'down' } as const
    }),
  )
}

async function startAll(
  regions: readonly string[],
  options: KeepOptions,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<readonly LocalCluster[]> {
  const installation = await options.source()
  const { brokers = 1, secure = false, brokerConfig = {} } = options
  const folder = join(stateFolder(env), 'clusters')
  const starts = await Promise.allSettled(
    regions.map((alias) =>
      startLocalCluster({ alias, brokers, secure, brokerConfig, installation, folder }, signal),
    ),
  )
  const started = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []))
  const failure = starts.find((start) => start.status === 'rejected')
  if (failure === undefined) return started
  await Promise.all(started.map((cluster) => cluster.stop()))
  throw failure.reason
}

function describe(cluster: LocalCluster): KeptCluster {
  const { alias, bootstrap, brokers, folder, secure } = cluster
  const known = { alias, bootstrap, brokers, folder }
  return secure === undefined ? known : { ...known, credentialsFile: secure.clientCredentialsFile }
}

function statePath(env: NodeJS.ProcessEnv): string {
  return join(stateFolder(env), 'local-clusters.json')
}

async function readState(env: NodeJS.ProcessEnv): Promise<readonly KeptCluster[]> {
  const path = statePath(env)
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return []
  try {
    return (JSON.parse(text) as { readonly clusters: readonly KeptCluster[] }).clusters
  } catch (error) {
    throw new LocalError('bad-request', `${path} is not readable as JSON.`, 'Remove it.', { cause: error })
  }
}

async function writeState(clusters: readonly KeptCluster[], env: NodeJS.ProcessEnv): Promise<void> {
  await mkdir(stateFolder(env), { recursive: true, mode: 0o700 })
  const draft = `${statePath(env)}.${randomBytes(4).toString('hex')}`
  await writeFile(draft, `${JSON.stringify({ version: 1, clusters }, undefined, 2)}\n`, { mode: 0o600 })
  await rename(draft, statePath(env))
}

function accepts(address: string): Promise<boolean> {
  const colon = address.lastIndexOf(':')
  return new Promise((resolve) => {
    const socket = createConnection({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) })
    const answer = (up: boolean) => {
      socket.destroy()
      resolve(up)
    }
    socket.setTimeout(2000, () => answer(false))
    socket.once('connect', () => answer(true))
    socket.once('error', () => answer(false))
  })
}
