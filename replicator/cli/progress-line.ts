import type { FlowSnapshot } from '../flow/snapshot.ts'

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
    `${format(records)} records/s`,
    `${megabytes.toFixed(1)} MB/s`,
    `lag ${format(now.lagRecords)} records, ${format(now.lagMs)} ms`,
    now.trouble === undefined ? '' : 'in trouble, see above',
  ]
  return parts.filter((part) => part !== '').join('   ')
}

const format = (value: number): string => Math.round(value).toLocaleString('en-US')
