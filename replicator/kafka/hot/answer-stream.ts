import type { Frame, FramePool } from './frame-pool.ts'

/** Answers up to this many bytes are read through one buffer of the connection; larger ones go straight to a frame. */
const SCRATCH_BYTES = 32 * 1024
/** Kafka's own default of `socket.request.max.bytes`; a longer answer means that this is no Kafka broker. */
const ANSWER_BYTES_MAX = 512 * 1024 * 1024

/** Takes a stream's answers apart. */
export interface AnswerReceiver {
  /** Whether the answer's memory is leased to the receiver, or only lent until `onAnswer` returns. */
  leases(correlationId: number): boolean
  /** One whole answer: `frame.memory` from `start` to `end`, the correlation id at `start`. */
  onLeasedAnswer(frame: Frame, start: number, end: number): void
  onLentAnswer(buffer: Buffer, start: number, end: number): void
}

/**
 * Cuts the bytes that a socket reads into answers, each `length INT32, correlation_id INT32, ...`, and decides
 * where the socket reads to next: a large answer is received in place in a leased frame, never copied.
 *
 *   scratch  [len|corr|small answer][len|corr|begin of a large one ...      (copied once, at most 32 KiB)
 *   frame                            [len|corr|begin ...|  the socket reads the rest to here  ]
 */
export class AnswerStream {
  readonly #receiver: AnswerReceiver
  readonly #pool: FramePool
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  #scratchBytes = 0
  #frame: Frame | undefined
  #frameBytes = 0
  #frameEnd = 0
  #frameLeased = false

  constructor(receiver: AnswerReceiver, pool: FramePool) {
    this.#receiver = receiver
    this.#pool = pool
  }

  /** Where the socket shall read to next. */
  nextBuffer(): Buffer {
    if (this.#frame !== undefined) return this.#frame.memory.subarray(this.#frameBytes, this.#frameEnd)
    return this.#scratch.subarray(this.#scratchBytes)
  }

  /**
   * The socket has read `bytes` to the buffer that {@link nextBuffer} gave.
   * @throws RangeError for a length that no answer has.
   */
  received(bytes: number): void {
    if (this.#frame !== undefined) {
      this.#frameBytes += bytes
      if (this.#frameBytes === this.#frameEnd) this.#deliverFrame(this.#frame)
      return
    }
    this.#scratchBytes += bytes
    this.#cutScratch()
  }

  /** Gives back the frame of a half-received answer, once the socket is gone. */
  end(): void {
    this.#frame?.release()
    this.#frame = undefined
  }

  #cutScratch(): void {
    let at = 0
    while (this.#scratchBytes - at >= 8) {
      const length = this.#scratch.readInt32BE(at)
      if (length < 4 || length > ANSWER_BYTES_MAX)
        throw new RangeError(`An answer cannot have ${length} bytes`)
      const end = at + 4 + length
      const leased = this.#receiver.leases(this.#scratch.readInt32BE(at + 4))
      const whole = end <= this.#scratchBytes
      if (whole && !leased) {
        this.#receiver.onLentAnswer(this.#scratch, at + 4, end)
        at = end
      } else if (whole || leased || end - at > SCRATCH_BYTES) {
        const have = Math.min(end, this.#scratchBytes) - at
        this.#beginFrame(at, have, 4 + length, leased)
        at += have
      } else {
        break
      }
    }
    this.#scratch.copyWithin(0, at, this.#scratchBytes)
    this.#scratchBytes -= at
  }

  #beginFrame(at: number, have: number, bytes: number, leased: boolean): void {
    const frame = this.#pool.lease(bytes)
    this.#scratch.copy(frame.memory, 0, at, at + have)
    this.#frameLeased = leased
    if (have === bytes) {
      this.#frameEnd = bytes
      this.#deliverFrame(frame)
      return
    }
    this.#frame = frame
    this.#frameBytes = have
    this.#frameEnd = bytes
  }

  #deliverFrame(frame: Frame): void {
    this.#frame = undefined
    if (this.#frameLeased) {
      this.#receiver.onLeasedAnswer(frame, 4, this.#frameEnd)
      return
    }
    this.#receiver.onLentAnswer(frame.memory, 4, this.#frameEnd)
    frame.release()
  }
}
