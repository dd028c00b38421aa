/**
 * `npm run bench:map`: what the exact offset map costs: 10^9 records in 10^6 runs, and topics of three kinds.
 *
 *   npm run bench:map -- [--runs N] [--lookups N] [--json FILE]
 */
import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import {
  acknowledge,
  bytesPerRun,
  type LookupTimes,
  readAgain,
  residentBytes,
  timeLookups,
  written,
} from './measure-map.ts'
import { type PatternName, patternNames, patternTitles } from './patterns.ts'

interface MapFigures extends LookupTimes {
  readonly pattern: PatternName
  readonly runs: number
  readonly records: number
  /** Of the whole map, measured: heap and array buffers, without garbage. */
  readonly residentBytes: number
  readonly appendUs: number
  readonly valueBytesPerRun: number
  readonly bytesPerRun: number
  readonly chunks: number
  readonly encodeMs: number
  readonly decodeMs: number
}

function measure(pattern: PatternName, runs: number, lookups: number): MapFigures {
  const before = residentBytes()
  const start = performance.now()
  const { map, records, acknowledgements } = acknowledge(pattern, runs)
  const appendMs = performance.now() - start
  const resident = residentBytes() - before
  // The first ones run before the code is compiled.
  timeLookups(map, Math.min(lookups, 20_000))
  const times = timeLookups(map, lookups)
  const encoding = performance.now()
  const chunks = written(map)
  const decoding = performance.now()
  readAgain(chunks, map)
  const end = performance.now()
  const bytes = bytesPerRun(chunks, runs)
  return {
    pattern,
    runs: map.size,
    records,
    residentBytes: resident,
    appendUs: (appendMs * 1000) / acknowledgements,
    ...times,
    valueBytesPerRun: bytes.values,
    bytesPerRun: bytes.withKeys,
    chunks: chunks.length,
    encodeMs: decoding - encoding,
    decodeMs: end - decoding,
  }
}

function told(figures: MapFigures): string {
  const { pattern, runs, records, residentBytes: bytes, p50Us, p99Us, encodeMs, decodeMs } = figures
  return [
    `${pattern}: ${patternTitles[pattern]}`,
    `  ${records.toExponential(2)} records in ${runs} runs`,
    `  resident   ${(bytes / 2 ** 20).toFixed(1)} MiB, ${(bytes / runs).toFixed(1)} bytes a run`,
    `  append     ${figures.appendUs.toFixed(2)} us an acknowledgement`,
    `  look-up    ${p50Us.toFixed(2)} us p50, ${p99Us.toFixed(2)} us p99`,
    `  in topic   ${figures.valueBytesPerRun.toFixed(2)} bytes a run, ${figures.bytesPerRun.toFixed(2)} with keys, in ${figures.chunks} records`,
    `  encode     ${encodeMs.toFixed(0)} ms, decode ${decodeMs.toFixed(0)} ms`,
  ].join('\n')
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000000' },
    lookups: { type: 'string', default: '200000' },
    json: { type: 'string' },
  },
})
const [runs, lookups] = [Number(values.runs), Number(values.lookups)]
if (!(Number.isSafeInteger(runs) && runs > 0 && Number.isSafeInteger(lookups) && lookups > 0)) {
  throw new Error('--runs and --lookups take whole numbers above 0')
}
const figures: MapFigures[] = []
for (const pattern of patternNames) {
  const one = measure(pattern, runs, lookups)
  figures.push(one)
  process.stdout.write(`${told(one)}\n`)
}
if (values.json !== undefined) {
  const machine = {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    node: process.version,
    date: new Date().toISOString(),
  }
  await writeFile(values.json, `${JSON.stringify({ machine, maps: figures }, undefined, 2)}\n`)
}
