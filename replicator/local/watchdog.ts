import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * Ends the brokers of one cluster and removes its folder once the process that started them is gone, however it
 * ended: a `finally` does not run after kill -9. A shell of its own session (so that Ctrl-C does not reach it) waits
 * on a pipe whose other end only that process holds; the system closes it.
 *
 * No broker escapes between its start and the moment its id is known: {@link startScript} writes the id, then looks
 * for the file `ended`; this writes `ended`, then reads the ids. One of the two sees the other.
 */
const watchScript = `
folder=$1
trap '' HUP INT TERM
while read -r line; do [ "$line" = release ] && exit 0; done
[ -d "$folder" ] || exit 0
: >"$folder/ended"
ours() {
  if [ -r "/proc/$1/cmdline" ]; then tr '\\0' ' ' <"/proc/$1/cmdline"; else ps -o command= -p "$1"; fi 2>/dev/null | grep -qF "$folder"
}
for file in "$folder"/broker-*.pid; do
  read -r pid <"$file" 2>/dev/null || continue
  tries=0
  while ours "$pid" && [ "$tries" -lt 100 ]; do kill -KILL "$pid" 2>/dev/null; sleep 0.1; tries=$((tries + 1)); done
done
rm -rf "$folder" || { sleep 1; rm -rf "$folder"; }
`

/** Becomes the program given after folder and broker id, with its process id written down before. */
export const startScript = `
echo "$$" >"$1/broker-$2.pid" || exit 1
[ -e "$1/ended" ] && exit 1
shift 2
exec "$@"
`

/** Guards one cluster's folder until released or told that the work is done. */
export interface Watchdog {
  /** The cluster is to outlive this process: stop guarding it. */
  release(): Promise<void>
  /** Brokers and folder are gone: end. */
  end(): Promise<void>
}

/** Starts the watchdog of a cluster's folder. It must run before the first broker does. */
export function startWatchdog(folder: string): Watchdog {
  const child: ChildProcess = spawn('/bin/sh', ['-c', watchScript, 'causeway-watchdog', folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  })
  const exited = once(child, 'exit')
  exited.catch(() => {})
  child.stdin?.on('error', () => {})
  child.unref()
  const finish = async (word: string) => {
    child.ref()
    child.stdin?.end(word)
    await exited
  }
  return { release: () => finish('release\n'), end: () => finish('') }
}
