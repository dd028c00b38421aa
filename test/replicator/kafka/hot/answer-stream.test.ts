import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type AnswerReceiver, AnswerStream } from '../../../../replicator/kafka/hot/answer-stream.ts'
import { type Frame, FramePool } from '../../../../replicator/kafka/hot/frame-pool.ts'

/** Notes every answer; those with an odd correlation id are leased. */
class Notes implements AnswerReceiver {
  readonly answers: { readonly how: 'leased' | 'lent'; readonly bytes: Buffer }[] = []
  readonly frames: Frame[] = []

  leases(correlationId: number): boolean {
    return correlationId % 2 === 1
  }

  onLeasedAnswer(frame: Frame, start: number, end: number): void {
    this.frames.push(frame)
    this.answers.push({ how: 'leased', bytes: Buffer.from(frame.memory.subarray(start, end)) })
  }

  onLentAnswer(buffer: Buffer, start: number, end: number): void {
    this.answers.push({ how: 'lent', bytes: Buffer.from(buffer.subarray(start, end)) })
  }
}

interface Sent {
  readonly correlationId: number
  readonly bodyBytes: number
}

function wire({ correlationId, bodyBytes }: Sent): Buffer {
  const bytes = Buffer.alloc(8 + bodyBytes)
  bytes.writeInt32BE(4 + bodyBytes, 0)
  bytes.writeInt32BE(correlationId, 4)
  for (let i = 0; i < bodyBytes; i++) bytes[8 + i] = (correlationId * 31 + i) & 0xff
  return bytes
}

/** Reads as a socket does: at most as much at a time as the buffer takes that it was given. */
function feed(stream: AnswerStream, bytes: Buffer, chunks: Iterator<number>): void {
  for (let at = 0; at < bytes.length; ) {
    const buffer = stream.nextBuffer()
    assert(buffer.length > 0, 'there is always room')
    const chunk = Math.max(1, Math.min(chunks.next().value ?? 1, buffer.length, bytes.length - at))
    bytes.copy(buffer, 0, at, at + chunk)
    stream.received(chunk)
    at += chunk
  }
}

function* repeated(sizes: readonly number[]): Generator<number> {
  for (;;) yield* sizes
}

const sent = fc.record({
  correlationId: fc.integer({ min: 0, max: 0x7fffffff }),
  bodyBytes: fc.oneof(fc.nat(60), fc.nat(5000), fc.integer({ min: 32_000, max: 33_000 }), fc.nat(200_000)),
})

describe('the answer stream', () => {
  test('any chunking gives the same answers, and every frame goes to whoever leases it', () => {
    fc.assert(
      fc.property(
        fc.array(sent, { minLength: 1, maxLength: 12, size: 'max' }),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 70_000 })), {
          minLength: 1,
          maxLength: 8,
        }),
        (answers, chunks) => {
          const notes = new Notes()
          const stream = new AnswerStream(notes, new FramePool())
          feed(stream, Buffer.concat(answers.map(wire)), repeated(chunks))
          assert.equal(notes.answers.length, answers.length)
          for (const [index, answer] of answers.entries()) {
            assert.equal(notes.answers[index]!.how, answer.correlationId % 2 === 1 ? 'leased' : 'lent')
            assert(notes.answers[index]!.bytes.equals(wire(answer).subarray(4)))
          }
          for (const frame of notes.frames) frame.release()
        },
      ),
      { numRuns: 150 },
    )
  })

  test('byte by byte', () => {
    const notes = new Notes()
    const answers = [
      { correlationId: 1, bodyBytes: 300 },
      { correlationId: 2, bodyBytes: 0 },
      { correlationId: 4, bodyBytes: 90_000 },
    ]
    feed(new AnswerStream(notes, new FramePool()), Buffer.concat(answers.map(wire)), repeated([1]))
    assert.deepEqual(
      notes.answers.map(({ how, bytes }) => [how, bytes.length]),
      [
        ['leased', 304],
        ['lent', 4],
        ['lent', 90_004],
      ],
    )
  })

  test('a large answer is read straight into its frame', () => {
    const notes = new Notes()
    const stream = new AnswerStream(notes, new FramePool())
    const bytes = wire({ correlationId: 1, bodyBytes: 500_000 })
    feed(stream, bytes.subarray(0, 100), repeated([100]))
    const buffer = stream.nextBuffer()
    assert.equal(buffer.length, bytes.length - 100)
    feed(stream, bytes.subarray(100), repeated([bytes.length]))
    assert(buffer.buffer === notes.frames[0]!.memory.buffer)
  })

  test('lent frames go back at once, a half-received one when the connection ends', () => {
    const pool = new FramePool()
    const stream = new AnswerStream(new Notes(), pool)
    feed(stream, wire({ correlationId: 2, bodyBytes: 100_000 }), repeated([7000]))
    const { idleBytes } = pool
    assert(idleBytes >= 100_000)
    feed(stream, wire({ correlationId: 1, bodyBytes: 100_000 }).subarray(0, 5000), repeated([5000]))
    assert.equal(pool.idleBytes, 0)
    stream.end()
    stream.end()
    assert.equal(pool.idleBytes, idleBytes)
  })

  test('a length that no answer has is an error', () => {
    for (const length of [-1, 0, 3, 512 * 1024 * 1024 + 1, 0x48545450]) {
      const bytes = Buffer.alloc(8)
      bytes.writeInt32BE(length, 0)
      const stream = new AnswerStream(new Notes(), new FramePool())
      assert.throws(() => feed(stream, bytes, repeated([8])), RangeError, `length ${length}`)
    }
  })
})
