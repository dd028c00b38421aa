import { homedir } from 'node:os'
import { join } from 'node:path'

/** Apache Kafka on this machine: brokers, console tools and MirrorMaker 2, from the artifacts that pom.xml names. */
export interface KafkaInstallation {
  readonly kind: 'java'
  /** For `java -cp`. */
  readonly classpath: string
  /** Kafka's version, such as `4.3.1`. */
  readonly version: string
  readonly javaPath: string
  /** What `kafka-storage format` writes and every new broker starts from: the feature levels of this version. */
  readonly bootstrapCheckpoint: string
  /** Java's archive of loaded classes (JEP 350), which halves the start of a broker; absent when it could not be made. */
  readonly classArchive?: string
}

/** `${XDG_CACHE_HOME:-~/.cache}/causeway`: Kafka's own files and the logs of brokers that failed. */
export function defaultCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = env.XDG_CACHE_HOME
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'causeway')
}

/** Brokers from the image `apache/kafka`, for machines with Docker and without Java. */
export interface DockerInstallation {
  readonly kind: 'docker'
  readonly dockerPath: string
  /** Such as `apache/kafka:4.3.1`. */
  readonly image: string
  readonly version: string
  readonly bootstrapCheckpoint: string
}

/** Where brokers come from. */
export type BrokerSource = KafkaInstallation | DockerInstallation
