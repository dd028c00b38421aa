import { styleText } from 'node:util'

/** The colours and weights that the command line uses. */
export type Style = Parameters<typeof styleText>[0]

/**
 * Where a command writes. Its answer goes to stdout, so that it can be piped; what it tells while working goes to
 * stderr. Colours appear only on a terminal, and not when NO_COLOR is set.
 */
export interface Output {
  /** A line of the answer, on stdout. */
  line(text: string): void
  /** A line about the work, on stderr. */
  note(text: string): void
  /** The answer as JSON, on stdout. */
  json(value: unknown): void
  /** Colours `text` where stdout shows colours. */
  styled(style: Style, text: string): string
  /** Colours `text` where stderr shows colours. */
  styledNote(style: Style, text: string): string
  /** True when stderr is a terminal, where a line may be redrawn. */
  readonly interactive: boolean
  /** Redraws the last line of stderr on a terminal; elsewhere nothing. An empty text clears it. */
  status(text: string): void
}

/** The streams of a process, as far as {@link openOutput} needs them. */
export interface OutputStreams {
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
}

/** Output on the given streams; by default those of this process. */
export function openOutput(streams: OutputStreams = process): Output {
  const { stdout, stderr } = streams
  // A reader that closes the pipe early (`| head`) is no error of ours.
  for (const stream of [stdout, stderr]) {
    if (stream.listenerCount('error') === 0) {
      stream.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EPIPE') throw error
      })
    }
  }
  let statusShown = false
  const clear = () => {
    if (statusShown) stderr.write('\r\u001b[2K')
    statusShown = false
  }
  return {
    interactive: stderr.isTTY === true,
    line(text) {
      clear()
      stdout.write(`${text}\n`)
    },
    note(text) {
      clear()
      stderr.write(`${text}\n`)
    },
    json(value) {
      clear()
      stdout.write(`${JSON.stringify(value, undefined, 2)}\n`)
    },
    styled: (style, text) => styleText(style, text, { stream: stdout }),
    styledNote: (style, text) => styleText(style, text, { stream: stderr }),
    status(text) {
      if (stderr.isTTY !== true) return
      clear()
      if (text === '') return
      stderr.write(text)
      statusShown = true
    },
  }
}

/** Lines of cells, each column as wide as its widest cell. Styles must be applied afterwards, or to the last column. */
export function alignColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length)
  }
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
