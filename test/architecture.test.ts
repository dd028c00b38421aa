import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { describe, test } from 'node:test'
import ts from 'typescript'

/** The plan as law: ARCHITECTURE.md says why. */
const root = resolve(import.meta.dirname, '..')
const product = join(root, 'replicator')

/** Rooms and the rooms they may import; everything may import itself. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  clock: [],
  topology: [],
  records: [],
  kafka: ['clock', 'topology', 'records'],
  logs: ['clock', 'topology', 'records', 'kafka'],
  config: ['topology', 'kafka'],
  provenance: ['clock', 'topology', 'records', 'kafka'],
  topics: ['clock', 'topology', 'records', 'kafka'],
  offsets: ['clock', 'topology', 'records', 'kafka', 'logs', 'provenance'],
  verify: ['clock', 'topology', 'records', 'kafka', 'provenance'],
  shards: ['clock', 'topology', 'records', 'kafka', 'logs', 'provenance', 'topics'],
  flow: ['clock', 'topology', 'records', 'kafka', 'logs', 'provenance', 'topics', 'offsets', 'shards'],
  app: ['clock', 'topology', 'records', 'kafka', 'logs', 'provenance', 'offsets', 'flow', 'groups'],
  groups: ['clock', 'topology', 'records', 'kafka', 'logs', 'offsets', 'shards', 'flow'],
  migrate: [
    'clock',
    'topology',
    'records',
    'kafka',
    'logs',
    'provenance',
    'topics',
    'offsets',
    'shards',
    'flow',
  ],
  mirror: ['clock', 'topology', 'records', 'kafka', 'offsets', 'flow', 'groups'],
  http: ['topology', 'flow'],
  processes: [
    'clock',
    'topology',
    'records',
    'kafka',
    'config',
    'logs',
    'offsets',
    'provenance',
    'topics',
    'shards',
    'flow',
    'groups',
    'mirror',
    'migrate',
    'http',
    'verify',
  ],
  local: ['clock', 'topology'],
  packaging: [],
  cli: [
    'clock',
    'topology',
    'records',
    'kafka',
    'config',
    'provenance',
    'topics',
    'flow',
    'migrate',
    'http',
    'verify',
    'app',
    'processes',
    'local',
  ],
}

/** Folders inside a room that are a subject of their own, and who may import them from outside: files, or rooms. */
const doors: Readonly<Record<string, readonly string[]>> = {
  'flow/watches': ['flow/flow-watches.ts'],
  'flow/resume': ['processes/', 'cli/'],
}

/** Rooms whose files may touch time, chance, timers and the environment; elsewhere they come in as seams. */
const edges = ['processes', 'cli', 'local']
const edgeFiles = ['clock/system-clock.ts', 'clock/random.ts']

const LINES_MAX = 400
const FUNCTION_LINES_MAX = 70

interface Source {
  /** `flow/flow.ts` */
  readonly path: string
  readonly room: string
  readonly text: string
  readonly tree: ts.SourceFile
  readonly imports: readonly string[]
}

const sources = readSources()
const byPath = new Map(sources.map((source) => [source.path, source]))

function readSources(): readonly Source[] {
  const files = readdirSync(product, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.includes('node_modules') && !file.startsWith('dist'))
    .map((file) => file.split(sep).join('/'))
  return files.map((path) => {
    const text = readFileSync(join(product, path), 'utf8')
    const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
    return { path, room: path.split('/')[0] ?? '', text, tree, imports: importsOf(tree, path) }
  })
}

function importsOf(tree: ts.SourceFile, path: string): readonly string[] {
  const found: string[] = []
  const add = (node: ts.Node | undefined): void => {
    if (node === undefined || !ts.isStringLiteralLike(node) || !node.text.startsWith('.')) return
    found.push(
      relative(product, resolve(product, dirname(path), node.text))
        .split(sep)
        .join('/'),
    )
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier)
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0])
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

describe('architecture', () => {
  test('every room is in the plan', () => {
    const rooms = new Set(sources.map(({ room }) => room))
    assert.deepEqual(
      [...rooms].filter((room) => !(room in arrows)),
      [],
    )
  })

  test('imports follow the arrows', () => {
    const wrong = sources.flatMap(({ path, room, imports }) =>
      imports
        .filter((target) => {
          const to = target.split('/')[0] ?? ''
          return to !== room && !arrows[room]?.includes(to)
        })
        .map((target) => `${path} -> ${target}`),
    )
    assert.deepEqual(wrong, [])
  })

  test('folders that are a subject of their own are entered by their doors', () => {
    const wrong = Object.entries(doors).flatMap(([folder, openTo]) => {
      assert(
        sources.some(({ path }) => path.startsWith(`${folder}/`)),
        `${folder} is gone`,
      )
      return sources
        .filter(({ path }) => ![`${folder}/`, ...openTo].some((allowed) => path.startsWith(allowed)))
        .flatMap(({ path, imports }) =>
          imports.filter((target) => target.startsWith(`${folder}/`)).map((target) => `${path} -> ${target}`),
        )
    })
    assert.deepEqual(wrong, [])
  })

  test('imports name files that exist', () => {
    const lost = sources.flatMap(({ path, imports }) =>
      imports
        .filter((target) => target.endsWith('.ts') && !byPath.has(target))
        .map((target) => `${path} -> ${target}`),
    )
    assert.deepEqual(lost, [])
  })

  test('no files import each other in a circle', () => {
    const circles: string[] = []
    const done = new Set<string>()
    const walk = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) {
        circles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
        return
      }
      if (done.has(path)) return
      for (const next of byPath.get(path)?.imports ?? []) walk(next, [...trail, path])
      done.add(path)
    }
    for (const { path } of sources) walk(path, [])
    assert.deepEqual(circles, [])
  })

  test('clocks, chance, timers and the environment stay at the edge', () => {
    const banned =
      /\b(Date\.now|new Date\(\)|performance\.now|Math\.random|setTimeout|setInterval|process\.(env|hrtime|exit|on|once)|node:timers)\b/
    const wrong = sources
      .filter(({ room, path }) => !edges.includes(room) && !edgeFiles.includes(path))
      .flatMap(({ path, text }) => linesMatching(path, text, banned))
    assert.deepEqual(wrong, [])
  })

  test('no logger and no metric below the processes', () => {
    const wrong = sources
      .filter(({ room }) => !edges.includes(room))
      .flatMap(({ path, text }) => linesMatching(path, text, /from '(pino|prom-client)'|\bconsole\./))
    assert.deepEqual(wrong, [])
  })

  test('the wire library is used by the kafka room alone, and by local for the brokers it boots', () => {
    const wrong = sources
      .filter(({ room }) => room !== 'kafka' && room !== 'local')
      .flatMap(({ path, text }) => linesMatching(path, text, /from '@platformatic\/kafka'/))
    assert.deepEqual(wrong, [])
  })

  test('every seam has a real and a simulated implementation', () => {
    const declares = (text: string, seam: string): boolean =>
      new RegExp(`(implements ${seam}\\b|const \\w+: ${seam} =)`).test(text)
    const simulation = join(root, 'test', 'simulation')
    const simulated = readdirSync(simulation)
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .map((file) => readFileSync(join(simulation, file), 'utf8'))
    for (const seam of ['Cluster', 'Clock', 'Random']) {
      assert.equal(sources.filter(({ text }) => declares(text, seam)).length, 1, `real ${seam}`)
      assert.ok(
        simulated.some((text) => declares(text, seam)),
        `simulated ${seam}`,
      )
    }
  })

  test('names say what a file is about', () => {
    const vague = /(^|[-/])(utils?|helpers?|common|manager|impl|misc)([-./]|$)/
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*\.ts$/
    const wrong = sources
      .map(({ path }) => path)
      .filter((path) => vague.test(path) || !kebab.test(basename(path)))
    assert.deepEqual(wrong, [])
  })

  test(`no file is longer than ${LINES_MAX} lines`, () => {
    const long = sources.filter(({ text }) => text.split('\n').length - 1 > LINES_MAX).map(({ path }) => path)
    assert.deepEqual(long, [])
  })

  test(`no function is longer than ${FUNCTION_LINES_MAX} lines`, () => {
    assert.deepEqual(sources.flatMap(longFunctions), [])
  })

  test('exports are named, one by one', () => {
    const wrong = sources.flatMap(({ path, tree }) =>
      tree.statements
        .filter(
          (statement) =>
            ts.isExportAssignment(statement) ||
            (ts.isExportDeclaration(statement) && statement.exportClause === undefined) ||
            (ts.canHaveModifiers(statement) &&
              ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword)),
        )
        .map((statement) => `${path}: ${statement.getText().slice(0, 60)}`),
    )
    assert.deepEqual(wrong, [])
  })

  test('no check is switched off', () => {
    const off = /@ts-(ignore|nocheck)|\bas any\b|c8 ignore|istanbul ignore|node:coverage/
    assert.deepEqual(
      sources.flatMap(({ path, text }) => linesMatching(path, text, off)),
      [],
    )
  })
})

function linesMatching(path: string, text: string, pattern: RegExp): string[] {
  return text.split('\n').flatMap((line, index) => {
    const comment = /^\s*(\*|\/\/|\/\*)/.test(line)
    return !comment && pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : []
  })
}

function longFunctions({ path, tree }: Source): string[] {
  const long: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) {
      const from = tree.getLineAndCharacterOfPosition(node.getStart()).line
      const to = tree.getLineAndCharacterOfPosition(node.getEnd()).line
      if (to - from + 1 > FUNCTION_LINES_MAX) long.push(`${path}:${from + 1}: ${to - from + 1} lines`)
    }
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return long
}
