import type { FlowSnapshot } from '../flow/snapshot.ts'
import { roughDuration } from '../topology/duration.ts'

/** What two looks at a flow, `elapsedMs` apart, say on one line. */
export function progressLine(before: FlowSnapshot | undefined, now: FlowSnapshot, elapsedMs: number): string {
  const perSecond = (after: number, earlier: number): number =>
    elapsedMs <= 0 ? 0 : Math.max(0, ((after - earlier) * 1000) / elapsedMs)
  const records = perSecond(now.records, before?.records ?? now.records)
  const megabytes = perSecond(now.bytes, before?.bytes ?? now.bytes) / 1e6
  const { total, running, paused, stopped } = now.partitions
  const parts = [
    `${now.source} -> ${now.target}`,
    now.state === 'running' ? `${running}/${total} partitions` : now.state,
    paused > 0 ? `${paused} paused` : '',
    stopped > 0 ? `${stopped} NOT MOVING` : '',
    `${formatCount(records)} records/s`,
    `${megabytes.toFixed(1)} MB/s`,
    `lag ${formatCount(now.lagRecords)} records, ${formatCount(now.lagMs)} ms`,
    now.overrun === undefined ? '' : `OVERRUN IN ${roughDuration(now.overrun.inMs).toUpperCase()}`,
    now.trouble === undefined ? '' : 'IN TROUBLE, see above',
  ]
  return parts.filter((part) => part !== '').join('  ')
}

/**
 * As many of the flows' lines side by side as fit, and how many are left out: a line that wraps cannot be redrawn.
 * @param columns width of the terminal; `undefined` when it is not known
 */
export function fitLines(lines: readonly string[], columns: number | undefined): string {
  // The last column stays free: some terminals wrap as soon as it is taken.
  const width = (columns ?? 80) - 1
  for (let shown = lines.length; shown > 0; shown--) {
    const more = lines.length - shown
    const text = [...lines.slice(0, shown), ...(more > 0 ? [`+ ${more} more`] : [])].join('  |  ')
    if (text.length <= width) return text
  }
  const [first] = lines
  return first === undefined || width < 1 ? '' : `${first.slice(0, width - 1)}…`
}

/** A rounded number with separators of thousands. */
export const formatCount = (value: number): string => Math.round(value).toLocaleString('en-US')
