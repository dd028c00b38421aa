/** Record values for seeding: the same in every run, because they come from a fixed seed. Pure. */

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** A small repeatable generator (mulberry32): good enough to make bytes that do not compress. */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function randomText(next: (below: number) => number, length: number): string {
  return Array.from({ length }, () => letters[next(64)]!).join('')
}

/** Lines of random characters: what a producer sends when its values are encrypted or compressed already. */
export function randomLines(options: { readonly count: number; readonly bytes: number }): string[] {
  const next = generator(1)
  return Array.from({ length: options.count }, () => randomText(next, options.bytes))
}

/**
 * JSON orders, all of exactly `bytes` bytes (at least 200), about a third of which is random: LZ4 makes them some
 * three times smaller in batches of 64 KiB.
 */
export function orderLines(options: { readonly count: number; readonly bytes: number }): string[] {
  const next = generator(2)
  return Array.from({ length: options.count }, () => orderLine(next, options.bytes))
}

const statuses = ['accepted', 'picking', 'shipped', 'delivered', 'returned']

function orderLine(next: (below: number) => number, bytes: number): string {
  const head =
    `{"type":"order","version":3,"orderId":"${randomText(next, 24)}","status":"${statuses[next(5)]}",` +
    `"currency":"EUR","warehouse":"eu-west-${next(9)}","customer":{"id":${next(1e9)},"segment":"consumer"},"lines":[`
  let line = head
  for (let number = 1; line.length < bytes; number++) {
    line += `{"lineNumber":${number},"productCode":"${randomText(next, 22)}","quantity":${next(90) + 10},`
    line += `"unitPriceInCents":${next(90_000) + 10_000},"giftWrapped":false},`
  }
  return line.slice(0, bytes)
}
