import type { Random } from '../../clock/random.ts'

/** A record as kafkajs takes it; it stamps the time itself. */
export interface DemoRecord {
  readonly key: string | null
  /** Null: a tombstone. */
  readonly value: string | null
  /** Several values are several headers of that name. */
  readonly headers: Record<string, string | Buffer | string[]>
}

/**
 * Record number `index` of a topic of the shop: JSON values, keys that repeat, headers of text and of raw bytes, some
 * null keys and null values.
 */
export function demoRecord(topic: string, index: number, random: Random): DemoRecord {
  const below = (count: number): number => Math.floor(random.next() * count)
  const order = `order-${index.toString().padStart(8, '0')}`
  const customer = `customer-${below(500)}`
  const bytes = (count: number): Buffer => Buffer.from(Array.from({ length: count }, () => below(256)))
  const headers = { 'trace-id': bytes(16).toString('hex'), 'content-type': 'application/json' }
  const json = (facts: object): string => JSON.stringify({ topic, ...facts })
  const amount = { cents: 100 + below(50_000), currency: below(2) === 0 ? 'USD' : 'EUR' }
  switch (topic) {
    case 'customers': {
      // A tombstone: the customer left, and compaction may forget them.
      const value =
        index % 20 === 19 ? null : json({ customer, name: names[below(names.length)], since: 2026 })
      return { key: customer, value, headers: {} }
    }
    case 'payments.ledger':
      return { key: null, value: json({ entry: index, ...amount }), headers }
    case 'payments.charged':
      return { key: customer, value: json({ order, customer, ...amount }), headers }
    case 'orders.shipped':
      return {
        key: order,
        value: json({ order, parcels: 1 + below(3) }),
        headers: { ...headers, signature: bytes(32), via: ['warehouse', 'harbour', 'courier'] },
      }
    default: {
      const items = Array.from({ length: 1 + below(4) }, () => ({
        sku: `sku-${below(9_000)}`,
        count: 1 + below(3),
      }))
      return { key: customer, value: json({ order, customer, items, ...amount }), headers }
    }
  }
}

const names = ['Ada', 'Grace', 'Łukasz', '美咲', 'Zoë', 'Oluwaseun']
