import type { ClientRole } from './client-keys.ts'
import { isConnectionKey } from './client-keys.ts'
import type { Place, Setting } from './setting.ts'

/** A connector's settings by the keys that the connector itself reads: `topics`, `source.consumer.client.id`. */
export type ConnectorSettings = ReadonlyMap<string, Setting>

/** Two clusters and the connectors between them. */
export interface Pair {
  readonly source: string
  readonly target: string
  /** The file's words for it, or where they would be. */
  readonly place: Place
  /** Whether records are to be copied. */
  readonly isEnabled: boolean
  /** `undefined`: there is no such connector. In mm2.properties all three read the same settings. */
  readonly copying: ConnectorSettings | undefined
  readonly checkpoints: ConnectorSettings | undefined
  readonly heartbeats: ConnectorSettings | undefined
  readonly storedOffsets: StoredOffsets
}

/** Where Connect has kept how far the copying connector was, for whoever takes over from it. */
export interface StoredOffsets {
  /** Part of the keys there. */
  readonly connector: string
  /** On the target; `undefined` when only the Connect worker's own configuration says it. */
  readonly topic: string | undefined
}

/** Where a key stands, which decides who reads it. */
export type KeyScope =
  /** Without a prefix in mm2.properties. */
  | 'global'
  /** Behind a cluster's alias. */
  | 'cluster'
  /** Behind `A->B.`, or in a connector of its own. */
  | 'flow'

/** A setting and the key in it that somebody reads. */
export interface ScopedSetting {
  readonly scope: KeyScope
  /** Without its alias or flow. */
  readonly key: string
  readonly setting: Setting
}

/** What a file of MirrorMaker 2 says, whatever its kind, before anything is made of it. */
export interface Declaration {
  readonly clusters: readonly { readonly alias: string; readonly place: Place }[]
  readonly pairs: readonly Pair[]
  /** Connection keys of each cluster as its own prefix and the keys without one give them. */
  readonly connections: ReadonlyMap<string, ConnectorSettings>
  /** Every key of the file. */
  readonly settings: readonly ScopedSetting[]
}

/** The end of a pair that a client of a connector talks to. */
export type Side = 'source' | 'target'

/**
 * What a client inside a connector reads, in MirrorMaker 2's layers: the cluster's connection keys, then those of
 * the role, then those of the role at that side.
 */
export function clientSetting(
  settings: ConnectorSettings,
  side: Side,
  role: ClientRole,
  key: string,
): Setting | undefined {
  return (
    settings.get(`${side}.${role}.${key}`) ??
    settings.get(`${role}.${key}`) ??
    (isConnectionKey(key) ? settings.get(`${side}.cluster.${key}`) : undefined)
  )
}
