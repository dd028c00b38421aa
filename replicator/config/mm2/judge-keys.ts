import { editDistance, nearestName } from '../../topology/nearest-name.ts'
import type { ConfigNote } from '../config-problem.ts'
import { checkpointKeys, heartbeatKeys } from './checkpoint-keys.ts'
import { type ClientRole, clientKeys, clientRoles, connectionKeys, isConnectionKey } from './client-keys.ts'
import { sharedKeys, sourceKeys } from './connector-keys.ts'
import type { Declaration, KeyScope, ScopedSetting } from './declaration.ts'
import { type KeyMeaning, meaningOf } from './key-meaning.ts'
import { driverKeys, ownKeys, workerKeys } from './runtime-keys.ts'
import type { Findings, Place } from './setting.ts'

/** A note without its file. */
export type KeyNote = Pick<ConfigNote, 'key' | 'kind' | 'message'> & { readonly place: Place }

const connectorKeys: readonly KeyMeaning[] = [
  ...sharedKeys,
  ...sourceKeys,
  ...checkpointKeys,
  ...heartbeatKeys,
]

/** Mistakes of spelling are within so many letters. */
const slipMax = 2

/** Judges every key of a file: notes on those that differ or do nothing, problems of those that cannot be obeyed. */
export function judgeKeys(declaration: Declaration, { problems }: Findings): readonly KeyNote[] {
  const notes: KeyNote[] = []
  for (const scoped of declaration.settings) {
    const { key, place } = scoped.setting
    const reading = readingOf(scoped.scope, scoped.key)
    if (reading.kind === 'unknown') {
      const near = nearestName(scoped.key, candidates(scoped.scope))
      const isSlip = near !== undefined && editDistance(scoped.key, near) <= slipMax
      if (isSlip || scoped.key.startsWith('causeway.')) {
        const hint = near === undefined ? {} : { hint: `did you mean "${near}"?` }
        problems.push({ place, message: 'an unknown key', ...hint })
      } else {
        const nearest = near === undefined ? '' : `; the nearest that is known is "${near}"`
        const message = `Neither MirrorMaker 2 nor Causeway knows this key${nearest}.`
        notes.push({ key, place, kind: 'not-read', message })
      }
    } else if (reading.kind === 'not-read') {
      notes.push({ key, place, kind: 'not-read', message: reading.message })
    } else judgeMeaning(scoped, reading.meaning, notes, problems)
  }
  return notes
}

function judgeMeaning(
  { setting }: ScopedSetting,
  meaning: KeyMeaning,
  notes: KeyNote[],
  problems: Findings['problems'],
): void {
  const { key, place, isBroken, value } = setting
  if (meaning.kind === 'same' || isBroken || meaning.sameFor?.test(value.trim()) === true) return
  if (meaning.kind !== 'refused') {
    notes.push({ key, place, kind: meaning.kind, message: meaning.here })
  } else if (meaning.accepts?.includes(value.trim().toLowerCase()) !== true) {
    problems.push({ place, message: `not possible here: ${lowerFirst(meaning.here)}` })
  }
}

/** As part of a longer sentence; names keep their capitals. */
function lowerFirst(text: string): string {
  const rest = text.replace(/\.$/, '')
  const isWord = /^[A-Z][a-z]*[ ,]/.test(rest) && !/^(?:Java|Kafka|Kerberos|Causeway) /.test(rest)
  return isWord ? rest.charAt(0).toLowerCase() + rest.slice(1) : rest
}

type Reading =
  | { readonly kind: 'read'; readonly meaning: KeyMeaning }
  | { readonly kind: 'not-read'; readonly message: string }
  | { readonly kind: 'unknown' }

function readingOf(scope: KeyScope, key: string): Reading {
  switch (scope) {
    case 'global':
      return globalReading(key)
    case 'cluster':
      return clusterReading(key)
    case 'flow':
      return flowReading(key)
  }
}

const read = (meaning: KeyMeaning | undefined): Reading =>
  meaning === undefined ? { kind: 'unknown' } : { kind: 'read', meaning }

function globalReading(key: string): Reading {
  if (key.startsWith('causeway.')) return read(meaningOf(ownKeys, key))
  if (isConnectionKey(key)) return read(meaningOf(connectionKeys, key))
  const meaning = meaningOf([...driverKeys, ...connectorKeys, ...workerKeys], key)
  if (meaning !== undefined) return read(meaning)
  if (roleReading(key, '')?.kind === 'read' || isBareClientKey(key)) {
    return notRead(
      "MirrorMaker 2 reads it only behind a cluster's alias or a flow, such as A.consumer., and so does Causeway.",
    )
  }
  const [head = '', ...rest] = key.split('.')
  return clusterReading(rest.join('.')).kind === 'read'
    ? notRead(`"clusters" lists no cluster "${head}".`)
    : { kind: 'unknown' }
}

function clusterReading(key: string): Reading {
  const ofRole = roleReading(key, '')
  if (ofRole !== undefined) return ofRole
  if (isConnectionKey(key)) return read(meaningOf(connectionKeys, key))
  const meaning = meaningOf([...workerKeys, ...sharedKeys.filter(({ kind }) => kind === 'not-needed')], key)
  if (meaning !== undefined) return read(meaning)
  if (isBareClientKey(key)) {
    return notRead(
      'MirrorMaker 2 reads it only with consumer., producer. or admin. before it, and so does Causeway.',
    )
  }
  return meaningOf(connectorKeys, key) === undefined
    ? { kind: 'unknown' }
    : notRead(
        'MirrorMaker 2 reads it only without a prefix or behind a flow, such as A->B., and so does Causeway.',
      )
}

function flowReading(key: string): Reading {
  const cluster = /^(?:source|target)\.cluster\.(.+)$/.exec(key)?.[1]
  if (cluster !== undefined && cluster !== 'alias') {
    return isConnectionKey(cluster)
      ? read(meaningOf(connectionKeys, cluster))
      : notRead(
          'MirrorMaker 2 reads only bootstrap.servers and security keys in this form, and so does Causeway.',
        )
  }
  const ofRole = roleReading(key, 'override.') ?? roleReading(key.replace(/^(?:source|target)\./, ''), '')
  if (ofRole !== undefined) return ofRole
  if (isConnectionKey(key)) {
    return notRead(
      'MirrorMaker 2 reads it only with source.cluster. or target.cluster. before it, and so does Causeway.',
    )
  }
  const meaning = meaningOf([...connectorKeys, ...workerKeys], key)
  if (meaning !== undefined) return read(meaning)
  return isBareClientKey(key)
    ? notRead(
        'MirrorMaker 2 reads it only with consumer., producer. or admin. before it, and so does Causeway.',
      )
    : { kind: 'unknown' }
}

const notRead = (message: string): Reading => ({ kind: 'not-read', message })

/** Of a key with a client's role in front; `undefined` when it has none. */
function roleReading(key: string, between: string): Reading | undefined {
  const role = clientRoles.find((candidate) => key.startsWith(`${candidate}.${between}`))
  if (role === undefined) return undefined
  // Of the connector's own polling, which only begins like a client's key.
  if (meaningOf(sharedKeys, key) !== undefined) return undefined
  return clientReading(role, key.slice(role.length + 1 + between.length))
}

function clientReading(role: ClientRole, key: string): Reading {
  return read(meaningOf(isConnectionKey(key) ? connectionKeys : clientKeys[role], key))
}

function isBareClientKey(key: string): boolean {
  return clientRoles.some((role) => meaningOf(clientKeys[role], key) !== undefined)
}

/** Every key that can be meant at a place, for "did you mean". */
function candidates(scope: KeyScope): readonly string[] {
  const names = (meanings: readonly KeyMeaning[]): string[] =>
    meanings.map(({ key }) => key).filter((key) => !key.includes('*'))
  const connection = names(connectionKeys)
  const ofRoles = clientRoles.flatMap((role) =>
    [...connection, ...names(clientKeys[role])].map((key) => `${role}.${key}`),
  )
  switch (scope) {
    case 'global':
      return [...names([...driverKeys, ...connectorKeys, ...workerKeys, ...ownKeys]), ...connection]
    case 'cluster':
      return [...connection, ...names(workerKeys), ...ofRoles]
    case 'flow':
      return [
        ...names(connectorKeys),
        ...['source.', 'target.', ''].flatMap((side) => ofRoles.map((key) => side + key)),
        ...['source.cluster.', 'target.cluster.'].flatMap((side) => connection.map((key) => side + key)),
      ]
  }
}
