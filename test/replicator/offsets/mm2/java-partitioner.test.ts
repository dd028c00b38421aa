import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { murmur2, partitionOfKey } from '../../../../replicator/offsets/mm2/java-partitioner.ts'

describe("the partition of a key, as Java's producer chooses it", () => {
  test("Kafka's own examples (UtilsTest)", () => {
    const examples: readonly (readonly [string, number])[] = [
      ['21', -973_932_308],
      ['foobar', -790_332_482],
      ['a-little-bit-long-string', -985_981_536],
      ['a-little-bit-longer-string', -1_486_304_829],
      ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
      ['abc', 479_470_107],
      // Asked of Kafka 4.3.1.
      ['', 275_646_681],
      ['a', -1_563_381_124],
      ['abcde', 461_995_741],
    ]
    for (const [key, hash] of examples) assert.equal(murmur2(Buffer.from(key)), hash, key)
  })

  test('a negative hash has a partition too', () => {
    assert.equal(partitionOfKey(Buffer.from('21'), 25), (-973_932_308 & 0x7fff_ffff) % 25)
    assert.throws(() => partitionOfKey(Buffer.from('21'), 0), RangeError)
  })
})
