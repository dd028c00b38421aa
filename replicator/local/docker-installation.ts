import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { currentUser } from './broker-host.ts'
import { type InstallOptions, installKafka, kafkaVersionOf, pomPath } from './installation.ts'
import { type BrokerSource, type DockerInstallation, defaultCacheFolder } from './kafka-files.ts'
import { explainFileError, LocalError } from './local-error.ts'
import { runCommand } from './run-command.ts'

/**
 * Finds something to run brokers with: Java and Maven, or else Docker.
 * @throws LocalError naming everything that is missing; `download-failed` and `disk-full` as they come.
 */
export async function findBrokerSource(options: InstallOptions, signal: AbortSignal): Promise<BrokerSource> {
  try {
    return await installKafka(options, signal)
  } catch (error) {
    const missing = error instanceof LocalError && /^(java|maven)-missing$/.test(error.problem)
    if (!missing) throw error
    try {
      return await installDocker(options, signal)
    } catch (dockerError) {
      if (!(dockerError instanceof LocalError) || dockerError.problem !== 'docker-missing') throw dockerError
      throw new LocalError(
        error.problem,
        error.message,
        'Docker would do as well, but it does not run here either. Or name brokers that you already have: ' +
          'CAUSEWAY_LOCAL_BOOTSTRAP_<REGION>=host:port,...',
        { cause: dockerError },
      )
    }
  }
}

/**
 * The brokers of the image `apache/kafka`, in the version that pom.xml names. Docker downloads it when needed.
 * @throws LocalError `docker-missing` or `download-failed`.
 */
export async function installDocker(
  options: InstallOptions,
  signal: AbortSignal,
): Promise<DockerInstallation> {
  const env = options.env ?? process.env
  const version = kafkaVersionOf(await readFile(pomPath, 'utf8'))
  const image = `apache/kafka:${version}`
  const info = await runCommand('docker', ['info'], { env }, signal).catch((error: unknown) => {
    signal.throwIfAborted()
    return { code: undefined, stdout: '', stderr: String(error) }
  })
  if (info.code !== 0) {
    throw new LocalError('docker-missing', 'Docker does not run.', 'Install Docker and start its daemon.')
  }
  const folder = join(options.cacheFolder ?? defaultCacheFolder(env), `kafka-${version}-docker`)
  const bootstrapCheckpoint = join(folder, 'bootstrap.checkpoint')
  if (!(await isFile(bootstrapCheckpoint))) {
    options.onProgress?.(`Downloading the image ${image} (once) ...`)
    await formatInContainer(image, folder, env, signal)
  }
  return { kind: 'docker', dockerPath: 'docker', image, version, bootstrapCheckpoint }
}

/** `docker run` that formats an empty broker into `folder`. */
export function formatCommand(image: string, folder: string, user: string): readonly string[] {
  const settings = [
    'process.roles=broker,controller',
    'node.id=1',
    'controller.quorum.voters=1@127.0.0.1:9093',
    'listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
    'controller.listener.names=CONTROLLER',
    `log.dirs=${folder}`,
  ]
  const script = [
    `printf '%s\\n' ${settings.map((line) => `'${line}'`).join(' ')} >/tmp/format.properties`,
    `/opt/kafka/bin/kafka-storage.sh format -t ${randomBytes(16).toString('base64url')} -c /tmp/format.properties`,
  ].join(' && ')
  const place = [`--user=${user}`, `--volume=${folder}:${folder}`, '--entrypoint=/bin/sh']
  return ['run', '--rm', ...place, image, '-c', script]
}

async function formatInContainer(
  image: string,
  folder: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<void> {
  const draft = `${folder}.${randomBytes(4).toString('hex')}.part`
  try {
    await mkdir(draft, { recursive: true })
    const said = await runCommand('docker', formatCommand(image, draft, currentUser()), { env }, signal)
    if (said.code !== 0) {
      throw new LocalError(
        'download-failed',
        `The image ${image} could not be used: ${said.stderr.trim().slice(-2000)}`,
        'Check the network and `docker info`; then run the same command again.',
        { retriable: true },
      )
    }
    await mkdir(folder, { recursive: true })
    await rename(join(draft, 'bootstrap.checkpoint'), join(folder, 'bootstrap.checkpoint'))
  } catch (error) {
    throw explainFileError(error, folder)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false
}
