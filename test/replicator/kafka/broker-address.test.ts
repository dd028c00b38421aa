import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatBrokerAddress, parseBrokerAddress } from '../../../replicator/kafka/broker-address.ts'

const port = fc.integer({ min: 1, max: 65_535 })

describe('parseBrokerAddress', () => {
  test('reads back what formatBrokerAddress writes', () => {
    const host = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV6(),
      fc.constant('localhost'),
      fc.constant('fe80::1%eth0'),
    )
    fc.assert(
      fc.property(host, port, (host, port) => {
        const parsed = parseBrokerAddress(formatBrokerAddress({ host, port }))
        assert.deepEqual(parsed, { ok: true, address: { host, port } })
      }),
    )
  })

  test('answers anything with an address or a reason, and accepts only what it can write back', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const parsed = parseBrokerAddress(text)
        if (!parsed.ok) return parsed.reason.length > 0
        return formatBrokerAddress(parsed.address).length > 0 && parsed.address.port > 0
      }),
    )
  })

  const refused: readonly (readonly [string, RegExp])[] = [
    ['', /empty/],
    ['broker', /no port.*broker:9092/],
    ['broker:', /no port/],
    [':9092', /no host/],
    ['broker:kafka', /"kafka".*not a port/],
    ['broker:0', /not between 1 and 65535/],
    ['broker:65536', /not between 1 and 65535/],
    ['a:9092,b:9092', /several addresses/],
    ['PLAINTEXT://broker:9092', /PLAINTEXT:\/\/; write host:port/],
    ['::1:9092', /brackets/],
    ['[::1', /closing bracket/],
    ['[::1]', /no port/],
    ['[broker]:9092', /not an IPv6 address/],
    ['bro ker:9092', /not a host name/],
    ['-broker:9092', /not a host name/],
  ]
  for (const [text, reason] of refused) {
    test(`refuses "${text}" with a reason`, () => {
      const parsed = parseBrokerAddress(text)
      assert.ok(!parsed.ok)
      assert.match(parsed.reason, reason)
    })
  }

  test('ignores white space around', () => {
    assert.deepEqual(parseBrokerAddress(' broker:9092\n'), {
      ok: true,
      address: { host: 'broker', port: 9092 },
    })
  })
})
