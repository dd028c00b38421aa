import { dirname } from 'node:path'
import type { BrokerSource } from '../../local/kafka-files.ts'

/** Kafka's own console tools that a curious person wants first. */
export type ConsoleTool = 'topics' | 'consumer' | 'producer'

const javaClasses = {
  topics: 'org.apache.kafka.tools.TopicCommand',
  consumer: 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  producer: 'org.apache.kafka.tools.ConsoleProducer',
}
const scripts = {
  topics: 'kafka-topics.sh',
  consumer: 'kafka-console-consumer.sh',
  producer: 'kafka-console-producer.sh',
}

/** How Kafka's tools are run with what is on this machine. */
export interface ConsoleTools {
  /** A shell command to give once, before the others. */
  readonly setup?: string
  /** The start of a shell command that runs the tool. */
  readonly command: (tool: ConsoleTool) => string
}

/** @param source what brokers were started with; undefined for brokers given by hand */
export function consoleTools(source: BrokerSource | undefined): ConsoleTools {
  switch (source?.kind) {
    case 'java': {
      // All jars are in one folder, which Java's own wildcard names shorter than the list.
      const [first = ''] = source.classpath.split(':')
      return {
        setup: `export CLASSPATH=${quoted(`${dirname(first)}/*`)}`,
        command: (tool) => `${quoted(source.javaPath)} ${javaClasses[tool]}`,
      }
    }
    case 'docker':
      return {
        command: (tool) => {
          const input = tool === 'producer' ? '-i ' : ''
          return `docker run --rm ${input}--network host ${source.image} /opt/kafka/bin/${scripts[tool]}`
        },
      }
    case undefined:
      return { command: (tool) => scripts[tool] }
  }
}

function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
