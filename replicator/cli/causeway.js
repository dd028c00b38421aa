#!/usr/bin/env node
// Starts the command line on a Node that can run it. Plain JavaScript that any Node from 18 on understands.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants, homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const oldestNode = 24
const here = dirname(fileURLToPath(import.meta.url))
// Sources are TypeScript; what is published is compiled.
const entry = [join(here, 'main.ts'), join(here, 'main.js')].find((file) => existsSync(file))

/** Flags that must be known before V8 starts, by command; a command named here always runs in a process of its own. */
const v8Flags = {}

const flags = v8Flags[process.argv[2]] ?? []
const recent = Number(process.versions.node.split('.')[0]) >= oldestNode
const flagged = flags.every((flag) => process.execArgv.includes(flag))

if (recent && flagged) {
  if (process.argv[2] === 'replicate') await keepCompiled()
  await import(pathToFileURL(entry).href)
} else {
  const node = recent ? process.execPath : findNode()
  if (node === undefined) {
    process.stderr.write(
      `causeway needs Node ${oldestNode} or newer; this is ${process.version}.\n` +
        `Install it from https://nodejs.org, or run \`npm install node@${oldestNode}\` here.\n`,
    )
    process.exitCode = 3
  } else {
    runWith(node)
  }
}

/**
 * Starting is part of every takeover: what was compiled once is kept in the user's cache, beside Kafka. Node writes it
 * when a process ends, but those that are killed never do: so it is written as soon as the process runs.
 */
async function keepCompiled() {
  const { enableCompileCache, flushCompileCache } = await import('node:module')
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  enableCompileCache(join(cache, 'causeway', 'compiled'))
  setTimeout(flushCompileCache, 2000).unref()
}

/** The binary of the npm package `node`, looked for beside this package and upwards. */
function findNode() {
  for (let folder = here; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', 'node', 'bin', 'node')
    if (existsSync(candidate)) return candidate
    if (folder === dirname(folder)) return undefined
  }
}

function runWith(node) {
  const child = spawn(node, [...flags, entry, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const name of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGUSR2']) {
    process.on(name, () => {
      // A terminal sends Ctrl-C to both processes by itself; a second one would mean "cut".
      if (name !== 'SIGINT' || !process.stdin.isTTY) child.kill(name)
    })
  }
  child.on('error', (error) => {
    process.stderr.write(`causeway could not start ${node}: ${error.message}\n`)
    process.exitCode = 3
  })
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
    process.exit()
  })
}
