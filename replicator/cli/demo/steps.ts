import { type Output, openOutput } from '../output.ts'
import { seconds } from './verdict-text.ts'

/** One step of the demo while it is under way. */
export interface Step {
  /** What it is at now. On a terminal one line is redrawn; elsewhere a line appears now and then. */
  update(text: string): void
  done(text: string, detail?: string): void
}

/** Shows what the demo does, step by step, with the time that each step took. */
export interface Steps {
  begin(text: string): Step
  /** A line between the steps. */
  note(text: string): void
  /** Ends the display where it is; harmless after the last step. */
  close(): void
  readonly times: readonly { readonly step: string; readonly ms: number }[]
}

const redrawMs = 100
const plainLineMs = 2_000
const textWidth = 44
const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** @param columns width of the terminal, asked at each redraw */
export function openSteps(
  output: Output = openOutput(),
  columns: () => number = () => process.stderr.columns ?? 80,
): Steps {
  const times: { step: string; ms: number }[] = []
  let redrawing: NodeJS.Timeout | undefined
  const close = (): void => {
    clearInterval(redrawing)
    redrawing = undefined
    output.status('')
  }
  return {
    times,
    close,
    note: (text) => output.note(`     ${text}`),
    begin(first) {
      close()
      const startMs = performance.now()
      let text = first
      let frame = 0
      let plainMs = startMs
      const elapsed = () => performance.now() - startMs
      const draw = (): void => {
        const mark = spinner[frame++ % spinner.length] ?? ''
        const line = `  ${mark}   ${text}  ${seconds(elapsed())}`
        output.status(line.slice(0, columns() - 1))
      }
      if (output.interactive) {
        draw()
        redrawing = setInterval(draw, redrawMs)
      }
      return {
        update(now) {
          text = now
          if (output.interactive || performance.now() - plainMs < plainLineMs) return
          plainMs = performance.now()
          output.note(`  ..  ${text}`)
        },
        done(what, detail = '') {
          close()
          const ms = elapsed()
          times.push({ step: what, ms: Math.round(ms) })
          const mark = output.interactive ? output.styledNote('green', '✓ ') : 'ok'
          const time = seconds(ms).padStart(7)
          const line = `  ${mark}  ${what.padEnd(textWidth)} ${output.styledNote('dim', time)}`
          output.note(detail === '' ? line : `${line}   ${output.styledNote('dim', detail)}`)
        },
      }
    },
  }
}

/** A bar of `width` cells, filled up to `part` (0 to 1). */
export function bar(part: number, width = 20): string {
  const filled = Math.round(Math.min(1, Math.max(0, part)) * width)
  return '━'.repeat(filled) + '╌'.repeat(width - filled)
}
