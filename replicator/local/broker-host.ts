import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { BrokerSource, DockerInstallation, KafkaInstallation } from './kafka-files.ts'
import { LocalError } from './local-error.ts'
import { runCommand } from './run-command.ts'

/** Where the brokers of one cluster run: as processes of this machine, or inside one container. */
export interface BrokerHost {
  readonly javaPath: string
  readonly classpath: string
  readonly classArchive: string | undefined
  /** The address that brokers listen on. */
  readonly listenHost: string
  /** What comes before `/bin/sh` to run a command there. */
  readonly prefix: readonly string[]
  /** Makes the place ready before the first broker. */
  open(signal: AbortSignal): Promise<void>
  /** Sends a signal to a broker; `pid` is the process on this machine that stands for it. */
  signal(id: number, pid: number, name: NodeJS.Signals): void
  close(): Promise<void>
}

/** File in a cluster's folder; a container of brokers ends when it is gone. */
export const runningMark = 'running'

/** What a container must be given of this machine. */
export interface SharedPlaces {
  /** The cluster's folder. */
  readonly folder: string
  /** Where brokers write their logs; may be the same. */
  readonly logFolder: string
  /** Ports to be reached from outside. */
  readonly ports: readonly number[]
}

/** The host for brokers from `source`. */
export function brokerHost(source: BrokerSource, shared: SharedPlaces): BrokerHost {
  return source.kind === 'java' ? machineHost(source) : containerHost(source, shared)
}

function machineHost(installation: KafkaInstallation): BrokerHost {
  return {
    javaPath: installation.javaPath,
    classpath: installation.classpath,
    classArchive: installation.classArchive,
    listenHost: '127.0.0.1',
    prefix: [],
    open: async () => {},
    signal: (_id, pid, name) => process.kill(pid, name),
    close: async () => {},
  }
}

/**
 * `docker run` for the container that all brokers of a cluster share. It does nothing itself: brokers are started in
 * it with `docker exec`. The shared folders have the same path inside. The container removes itself a second after
 * the file `running` is gone from the folder, so that whoever removes the folder ends it too.
 */
export function containerCommand(
  image: string,
  name: string,
  { folder, logFolder, ports }: SharedPlaces,
  user: string,
): readonly string[] {
  const folders = new Set([folder, logFolder])
  return [
    'run',
    '--rm',
    '--detach',
    '--init',
    `--name=${name}`,
    `--user=${user}`,
    ...[...folders].map((path) => `--volume=${path}:${path}`),
    ...ports.map((port) => `--publish=127.0.0.1:${port}:${port}`),
    '--entrypoint=/bin/sh',
    image,
    '-c',
    `while [ -e '${join(folder, runningMark)}' ]; do sleep 1; done`,
  ]
}

function containerHost(installation: DockerInstallation, shared: SharedPlaces): BrokerHost {
  const { folder } = shared
  const name = folder.split('/').at(-1) ?? folder
  const docker = installation.dockerPath
  return {
    javaPath: 'java',
    classpath: '/opt/kafka/libs/*',
    classArchive: undefined,
    listenHost: '0.0.0.0',
    prefix: [docker, 'exec', name],
    async open(signal) {
      const args = containerCommand(installation.image, name, shared, currentUser())
      const outcome = await runCommand(docker, args, {}, signal)
      if (outcome.code === 0) return
      const taken = /port is already allocated|address already in use/i.test(outcome.stderr)
      throw new LocalError(
        taken ? 'port-taken' : 'broker-failed',
        `Docker could not start a container of ${installation.image}: ${outcome.stderr.trim()}`,
        taken ? 'Try again.' : 'Is the Docker daemon running, and may this user use it? `docker info` tells.',
        { retriable: taken },
      )
    },
    signal(id, _pid, name_) {
      const script = `kill -${name_.replace('SIG', '')} "$(cat '${join(folder, `broker-${id}.pid`)}')"`
      spawn(docker, ['exec', name, '/bin/sh', '-c', script], { stdio: 'ignore' })
        .on('error', () => {})
        .unref()
    },
    async close() {
      await runCommand(docker, ['rm', '--force', name], {}, new AbortController().signal)
    },
  }
}

/** `uid:gid` of this process, so that files in the shared folder belong to the caller. */
export function currentUser(): string {
  return `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`
}
