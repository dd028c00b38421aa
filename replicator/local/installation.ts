import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ensureClassArchive } from './class-archive.ts'
import { findJava } from './java-runtime.ts'
import { defaultCacheFolder, type KafkaInstallation } from './kafka-files.ts'
import { explainFileError, LocalError } from './local-error.ts'
import { runCommand } from './run-command.ts'

export type { KafkaInstallation } from './kafka-files.ts'

export interface InstallOptions {
  /** Told in plain words what takes long. Not called when everything is there. */
  readonly onProgress?: (text: string) => void
  /** Default: `${XDG_CACHE_HOME:-~/.cache}/causeway`. */
  readonly cacheFolder?: string
  /** Default: this process's environment. PATH and JAVA_HOME decide which Java and Maven are used. */
  readonly env?: NodeJS.ProcessEnv
}

/** The Maven project that names Kafka's version and artifacts. */
export const pomPath = join(import.meta.dirname, 'pom.xml')

/**
 * Makes sure that Kafka is there, downloading it with Maven once per user. Safe to call from several processes at
 * once: each prepares a folder of its own, the first to rename it into place wins, and the others use that one.
 * @throws LocalError `java-missing`, `maven-missing`, `download-failed` or `disk-full`.
 */
export async function installKafka(options: InstallOptions, signal: AbortSignal): Promise<KafkaInstallation> {
  const env = options.env ?? process.env
  const progress = options.onProgress ?? (() => {})
  const java = await findJava(env, signal)
  const pom = await readFile(pomPath, 'utf8')
  const version = kafkaVersionOf(pom)
  const pomHash = createHash('sha256').update(pom).digest('hex').slice(0, 12)
  const folder = join(options.cacheFolder ?? defaultCacheFolder(env), `kafka-${version}-${pomHash}`)
  try {
    if (!(await isInstalled(folder)))
      await download({ folder, version, javaPath: java.javaPath, env, progress }, signal)
    const classpath = await classpathOf(folder)
    const installation: KafkaInstallation = {
      kind: 'java',
      classpath,
      version,
      javaPath: java.javaPath,
      bootstrapCheckpoint: join(folder, 'bootstrap.checkpoint'),
    }
    const classArchive = await ensureClassArchive({ installation, folder, java, progress }, signal)
    return classArchive === undefined ? installation : { ...installation, classArchive }
  } catch (error) {
    throw explainFileError(error, folder)
  }
}

/** The Kafka version that a pom.xml declares. */
export function kafkaVersionOf(pom: string): string {
  const version = /<kafka\.version>([^<]+)<\/kafka\.version>/.exec(pom)?.[1]
  if (version === undefined) throw new Error(`${pomPath} does not declare kafka.version`)
  return version
}

async function isInstalled(folder: string): Promise<boolean> {
  try {
    await readFile(join(folder, 'bootstrap.checkpoint'))
    return true
  } catch {
    return false
  }
}

async function classpathOf(folder: string): Promise<string> {
  const libraries = join(folder, 'libs')
  const jars = (await readdir(libraries)).filter((name) => name.endsWith('.jar')).sort()
  return jars.map((jar) => join(libraries, jar)).join(':')
}

interface Download {
  readonly folder: string
  readonly version: string
  readonly javaPath: string
  readonly env: NodeJS.ProcessEnv
  readonly progress: (text: string) => void
}

async function download(plan: Download, signal: AbortSignal): Promise<void> {
  const draft = `${plan.folder}.${process.pid}-${randomBytes(4).toString('hex')}.part`
  try {
    await mkdir(draft, { recursive: true })
    plan.progress(`Downloading Apache Kafka ${plan.version} (about 55 MB, once per user) ...`)
    await copyJars(draft, plan, signal)
    await formatOnce(draft, plan, signal)
    try {
      await rename(draft, plan.folder)
    } catch (error) {
      // Another process was first; a folder without its last file is a leftover that nobody will complete.
      if (await isInstalled(plan.folder)) return
      await rm(plan.folder, { recursive: true, force: true })
      await rename(draft, plan.folder).catch(() => {
        throw error
      })
    }
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function copyJars(draft: string, plan: Download, signal: AbortSignal): Promise<void> {
  const libraries = join(draft, 'libs')
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
  const args = ['-B', '-f', pomPath, goal, `-DoutputDirectory=${libraries}`, '-DincludeScope=runtime']
  let downloaded = 0
  const onLine = (line: string) => {
    if (!line.startsWith('Downloaded from') && !line.includes(' Downloaded from')) return
    if (!line.includes('.jar')) return
    downloaded += 1
    if (downloaded % 20 === 0)
      plan.progress(`Downloading Apache Kafka ${plan.version}: ${downloaded} files ...`)
  }
  let said: { readonly code: number | undefined; readonly stdout: string; readonly stderr: string }
  try {
    said = await runCommand('mvn', args, { env: plan.env, onLine }, signal)
  } catch (error) {
    signal.throwIfAborted()
    throw new LocalError(
      'maven-missing',
      'Maven is needed to download Apache Kafka; "mvn" does not run.',
      'Install it (Debian, Ubuntu: `apt-get install maven`; macOS: `brew install maven`) and put it on PATH.',
      { cause: error },
    )
  }
  if (said.code === 0) return
  const reasons = `${said.stdout}\n${said.stderr}`.split('\n').filter((line) => line.includes('ERROR'))
  const text = reasons.slice(0, 5).join('\n')
  if (/No space left|Disk quota/.test(text)) {
    throw explainFileError(Object.assign(new Error(text), { code: 'ENOSPC' }), plan.folder)
  }
  throw new LocalError(
    'download-failed',
    `Maven could not download Apache Kafka ${plan.version} (exit code ${said.code}):\n${text}`,
    'Check the network, and the proxy and mirrors in ~/.m2/settings.xml; then run the same command again.',
    { retriable: true },
  )
}

/** Formatting costs a Java start per broker; what it writes depends on the Kafka version only, so it is done once here. */
async function formatOnce(draft: string, plan: Download, signal: AbortSignal): Promise<void> {
  const scratch = join(draft, 'format')
  const properties = join(draft, 'format.properties')
  await mkdir(scratch)
  await writeFile(
    properties,
    [
      'process.roles=broker,controller',
      'node.id=1',
      'controller.quorum.voters=1@127.0.0.1:9093',
      'listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
      'controller.listener.names=CONTROLLER',
      'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      `log.dirs=${scratch}`,
    ].join('\n'),
  )
  const args = ['-cp', await classpathOf(draft), 'kafka.tools.StorageTool']
  args.push('format', '-t', randomBytes(16).toString('base64url'), '-c', properties)
  const said = await runCommand(plan.javaPath, args, { env: plan.env }, signal)
  if (said.code !== 0) {
    throw new LocalError(
      'download-failed',
      `Kafka's storage tool does not run (exit code ${said.code}): ${(said.stderr || said.stdout).slice(-2000)}`,
      'The downloaded files may be damaged: remove ~/.m2/repository/org/apache/kafka and try again.',
    )
  }
  await rename(join(scratch, 'bootstrap.checkpoint'), join(draft, 'bootstrap.checkpoint'))
  await rm(scratch, { recursive: true, force: true })
  await rm(properties, { force: true })
}
