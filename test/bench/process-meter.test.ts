import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { descendants, ProcessMeter, parseStat, parseStatus } from './process-meter.ts'

test('reads a stat line whose command holds blanks and parentheses', () => {
  const line = '4242 (java (a) b) S 17 4242 4242 0 -1 4194560 900 0 0 0 101 22 3 4 20 0 51 0 123 456 789\n'
  assert.deepEqual(parseStat(line), { pid: 4242, parentPid: 17, cpuTicks: 130 })
})

test('reads resident memory, and none of a process that has ended', () => {
  assert.deepEqual(parseStatus('Name:\tnode\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n'), {
    rssBytes: 1024 * 1024,
    rssPeakBytes: 2048 * 1024,
  })
  assert.deepEqual(parseStatus('Name:\tnode\nState:\tZ (zombie)\n'), { rssBytes: 0, rssPeakBytes: 0 })
})

test('a tree holds children of children and no strangers', () => {
  const stat = (pid: number, parentPid: number) => ({ pid, parentPid, cpuTicks: 0 })
  const all = [stat(30, 20), stat(20, 10), stat(10, 1), stat(40, 1), stat(50, 40), stat(1, 0)]
  assert.deepEqual(
    descendants(10, all)
      .map((of) => of.pid)
      .sort(),
    [10, 20, 30],
  )
})

test('measures a process together with its child', { skip: !existsSync('/proc/self/stat') }, async () => {
  const script = `require('node:child_process').spawn(process.execPath, ['-e', 'process.stdout.write("up"); setInterval(() => {}, 1e9)'], { stdio: ['ignore', 'inherit', 'inherit'] })`
  const parent = spawn(process.execPath, ['-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  try {
    await new Promise((resolve) => parent.stdout.once('data', resolve))
    const usage = new ProcessMeter(parent.pid!).read()
    const own = new ProcessMeter(process.pid).read()
    assert.ok(usage.cpuSeconds > 0)
    // No Node process fits into 25 MiB, so more than 50 are two.
    assert.ok(usage.rssBytes > 50 * 1024 * 1024, `${usage.rssBytes} bytes are not two processes`)
    assert.ok(own.rssBytes > usage.rssBytes, 'this process is the root of both')
    assert.ok(usage.rssPeakBytes >= usage.rssBytes)
  } finally {
    process.kill(-parent.pid!, 'SIGKILL')
  }
})
