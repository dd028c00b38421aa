import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  isRetriable,
  KafkaError,
  protocolError,
  transportError,
  withPlace,
} from '../../../replicator/kafka/errors.ts'
import { describeProtocolError, protocolErrors } from '../../../replicator/kafka/protocol-errors.ts'
import type { RegionAlias } from '../../../replicator/topology/model.ts'

const cluster = 'us-east' as RegionAlias

describe('the table of protocol errors', () => {
  test('holds each code of Kafka 4.3 once, in order, and not 0', () => {
    const codes = protocolErrors.map(({ code }) => code)
    assert.deepEqual(codes, [-1, ...Array.from({ length: 133 }, (_, index) => index + 1)])
    assert.equal(new Set(protocolErrors.map(({ name }) => name)).size, codes.length)
  })

  test('agrees with the exception classes of the Java client', () => {
    const retriable = protocolErrors.filter((entry) => entry.retriable).map(({ code }) => code)
    // org.apache.kafka.common.errors.RetriableException and its subclasses, kafka-clients 4.3.0.
    const expected = [
      2, 3, 5, 6, 7, 9, 13, 14, 15, 16, 19, 20, 41, 51, 56, 70, 71, 72, 74, 75, 78, 80, 83, 84, 88, 89, 100,
      103, 106, 122, 123, 133,
    ]
    assert.deepEqual(retriable, expected)
    // InvalidMetadataException and its subclasses, and NOT_CONTROLLER, which the Java client handles apart.
    const refreshing = protocolErrors.filter((entry) => entry.refreshesMetadata).map(({ code }) => code)
    assert.deepEqual(refreshing, [3, 5, 6, 9, 13, 41, 56, 72, 74, 80, 83, 84, 100, 103])
  })

  test('says something about each, in one sentence without a full stop', () => {
    for (const { name, meaning, wayOut } of protocolErrors) {
      assert.match(meaning, /^[a-z].*[^.]$/, name)
      if (wayOut !== undefined) assert.match(wayOut, /^[A-Z].*\.$/, name)
    }
  })

  test('an unknown code is final and says so', () => {
    assert.equal(describeProtocolError(999).retriable, false)
    const error = protocolError(999, { cluster })
    assert.equal(error.kind, 'UNKNOWN_ERROR_CODE_999')
    assert.equal(isRetriable(error), false)
  })
})

describe('KafkaError', () => {
  test('says what failed, where, whether retrying helps, and the way out', () => {
    const error = protocolError(
      10,
      { cluster, topic: 'orders', partition: 3, broker: 2, during: 'Produce' },
      'The message is too large.',
    )
    assert.equal(
      error.message,
      'Produce failed: MESSAGE_TOO_LARGE (cluster us-east, topic orders, partition 3, broker 2): ' +
        'the record batch is larger than the topic takes (broker: "The message is too large"). ' +
        'Retrying does not help. ' +
        'Raise max.message.bytes on the topic (or message.max.bytes on its brokers), or check that no fence lowered it.',
    )
    assert.equal(error.code, 10)
    assert.equal(error.cluster, 'us-east')
    assert.equal(error.topic, 'orders')
    assert.equal(error.partition, 3)
    assert.equal(error.broker, 2)
  })

  test('retriable codes are retriable, and say that they are', () => {
    const error = protocolError(6, { cluster })
    assert.equal(isRetriable(error), true)
    assert.equal(error.refreshMetadata, true)
    assert.match(error.message, /Retrying can help\./)
  })

  test('transport problems carry no code', () => {
    const cause = new Error('connect ECONNREFUSED')
    const error = transportError('connection', 'nothing listens there', { cluster, address: 'h:1' }, cause)
    assert.equal(error.code, undefined)
    assert.equal(error.kind, 'connection')
    assert.equal(error.cause, cause)
    assert.equal(isRetriable(error), true)
    assert.match(error.message, /^connection \(cluster us-east, at h:1\): nothing listens there\./)
    for (const kind of ['authentication', 'tls', 'closed', 'aborted', 'unsupported-version'] as const) {
      assert.equal(isRetriable(transportError(kind, 'x')), false, kind)
    }
  })

  test('errors of others are not retriable', () => {
    assert.equal(isRetriable(new Error('x')), false)
    assert.equal(isRetriable(undefined), false)
  })

  test('a place from further up completes, and never overwrites, the place', () => {
    const error = withPlace(protocolError(3, { cluster, topic: 'orders' }), { topic: 'other', broker: 7 })
    assert.ok(error instanceof KafkaError)
    assert.equal(error.topic, 'orders')
    assert.equal(error.broker, 7)
    assert.equal(error.code, 3)
    assert.equal(error.retriable, true)
  })
})
