/** The ports of one broker of a local cluster; the same machine serves all of them. */
export interface BrokerPorts {
  /** Where clients connect. */
  readonly client: number
  /** Where controllers talk (KRaft); unused on brokers that are no controllers. */
  readonly controller: number
  /** Where brokers talk to each other in a secure cluster. */
  readonly internal: number
  /** Where clients with a certificate connect in a secure cluster. */
  readonly mutualTls: number
}

/** What the brokers of one cluster share. */
export interface ClusterPlan {
  readonly alias: string
  readonly clusterId: string
  /** By broker id, from 1 without holes. */
  readonly ports: ReadonlyMap<number, BrokerPorts>
  /** Listeners, log-in and authorizer of a secure cluster; absent for PLAINTEXT. */
  readonly secureSettings?: (
    ports: BrokerPorts,
    controller: boolean,
    listenHost: string,
  ) => Record<string, string>
  /** The caller's own settings; they win. */
  readonly brokerConfig: Readonly<Record<string, string>>
  /** Address that brokers listen on: 127.0.0.1, or 0.0.0.0 inside a container. */
  readonly listenHost: string
}

/** Controllers are the first brokers: one, or three where there are three or more (a quorum survives one of them). */
export function isController(id: number, brokers: number): boolean {
  return id <= Math.min(3, brokers)
}

/**
 * The server.properties of one broker: KRaft, combined roles on the controllers, few partitions for the internal
 * topics so that the first transaction and the first group start quickly.
 */
export function brokerSettings(plan: ClusterPlan, id: number, dataFolder: string): Record<string, string> {
  const ports = plan.ports.get(id)
  if (ports === undefined) throw new Error(`broker ${id} has no ports`)
  const brokers = plan.ports.size
  const controller = isController(id, brokers)
  const replicas = String(Math.min(3, brokers))
  const minIsr = String(Math.max(1, Math.min(3, brokers) - 1))
  const voters = [...plan.ports]
    .filter(([voter]) => isController(voter, brokers))
    .map(([voter, its]) => `${voter}@127.0.0.1:${its.controller}`)
  return {
    'process.roles': controller ? 'broker,controller' : 'broker',
    'node.id': String(id),
    'controller.quorum.voters': voters.join(','),
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': dataFolder,
    'default.replication.factor': replicas,
    'min.insync.replicas': minIsr,
    'offsets.topic.num.partitions': '4',
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.num.partitions': '4',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minIsr,
    'share.coordinator.state.topic.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': minIsr,
    // How long a killed broker counts as alive, and so how long its partitions lack a leader and it cannot come back
    // (9 s by default).
    'broker.session.timeout.ms': '5000',
    'broker.heartbeat.interval.ms': '500',
    'group.initial.rebalance.delay.ms': '0',
    // A topic that nobody declared is a mistake to be seen, not to be served.
    'auto.create.topics.enable': 'false',
    // Kafka reserves 128 MiB at the start by default.
    'log.cleaner.dedupe.buffer.size': String(16 * 1024 * 1024),
    ...(plan.secureSettings === undefined
      ? plainListeners(plan, ports, controller)
      : plan.secureSettings(ports, controller, plan.listenHost)),
    ...plan.brokerConfig,
  }
}

function plainListeners(plan: ClusterPlan, ports: BrokerPorts, controller: boolean): Record<string, string> {
  const listeners = [`PLAINTEXT://${plan.listenHost}:${ports.client}`]
  if (controller) listeners.push(`CONTROLLER://${plan.listenHost}:${ports.controller}`)
  return {
    listeners: listeners.join(','),
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${ports.client}`,
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
  }
}

/** A Java properties file. Backslashes and line ends inside values are escaped. */
export function propertiesText(settings: Readonly<Record<string, string>>): string {
  const escaped = (value: string) => value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return `${Object.entries(settings)
    .map(([name, value]) => `${name}=${escaped(value)}`)
    .join('\n')}\n`
}

/** What makes a log folder a broker's own, as `kafka-storage format` writes it. Ids are UUIDs in Kafka's base64 form. */
export function metaProperties(clusterId: string, nodeId: number, directoryId: string): string {
  return `version=1\ncluster.id=${clusterId}\nnode.id=${nodeId}\ndirectory.id=${directoryId}\n`
}

/** Log4j 2: everything of one broker into one file, appended to across restarts. */
export function loggingSettings(): string {
  return [
    'status = error',
    'appender.file.type = File',
    'appender.file.name = file',
    // The JVM's property `causeway.log` names the file.
    `appender.file.fileName = $\{sys:causeway.log}`,
    'appender.file.layout.type = PatternLayout',
    'appender.file.layout.pattern = [%d] %p %m (%c)%n',
    'rootLogger.level = info',
    'rootLogger.appenderRef.file.ref = file',
    '',
  ].join('\n')
}
