import { aclKey, type TopicAcl } from '../kafka/acl-binding.ts'
import type { Cluster, Outcome } from '../kafka/cluster.ts'
import type { KafkaError } from '../kafka/errors.ts'
import type { Flow, RegionAlias } from '../topology/model.ts'
import { mayOverride } from './acl-access.ts'
import type { AclMemory } from './acl-memory.ts'
import type { AclNames } from './acl-names.ts'
import { type AclNote, type AclPlan, type CopyRole, planAcls } from './acl-plan.ts'
import { type AclRefusal, aclRefusalOf } from './acl-refusals.ts'
import type { TopicEventBody } from './events.ts'
import type { TopicPair, TopicRules } from './topic-pair.ts'

/** What a flow that follows rules needs beside its topics. */
export interface AclSyncParts {
  /** `report` looks and tells; it changes nothing on any cluster. */
  readonly mode: 'report' | 'sync'
  readonly names: AclNames
  readonly role: CopyRole
  readonly principals: OwnPrincipals
  readonly memory: AclMemory
  /** One replica of a flow at a time follows its rules. */
  readonly isOurTurn: () => boolean
}

/** Those whom the replicator logs in as, on both sides, or the side where that cannot be told. */
export type OwnPrincipals =
  | { readonly kind: 'known'; readonly names: ReadonlySet<string> }
  | { readonly kind: 'unknown'; readonly cluster: RegionAlias }

export interface AclSyncContext extends AclSyncParts {
  readonly flow: Pick<Flow, 'source' | 'target'>
  readonly rules: TopicRules
  readonly source: Pick<Cluster, 'describeAcls'>
  readonly target: Pick<Cluster, 'describeAcls' | 'createAcls' | 'deleteAcls'>
  announce(event: TopicEventBody): void
}

interface Change {
  readonly added: readonly TopicAcl[]
  readonly removed: readonly TopicAcl[]
}

/** Makes the target's rules about topics follow the source's. Tells what stands once, not in every pass. */
export class AclFollower {
  readonly #context: AclSyncContext
  #toldNotes: ReadonlySet<string> = new Set()
  #toldWish = ''
  #toldRefusal = ''

  constructor(context: AclSyncContext) {
    this.#context = context
  }

  /**
   * One pass over all copies. A cluster that refuses is told, not thrown.
   * @throws KafkaError when a cluster does not answer at all; passes may be repeated any time.
   */
  async pass(pairs: readonly TopicPair[], signal: AbortSignal): Promise<void> {
    const { mode, memory, isOurTurn } = this.#context
    if (!isOurTurn()) return
    const looked = await this.#look(pairs, signal)
    if (!('plan' in looked)) return this.#tellRefusal(looked)
    const { plan } = looked
    this.#tellNotes(plan.notes)
    if (mode === 'report') {
      this.#tellRefusal(undefined)
      return this.#tellWish({ added: plan.add.map(({ acl }) => acl), removed: plan.remove })
    }
    if (plan.forget.length > 0) await memory.forget(plan.forget, signal)
    const { change, refusal } = await this.#carryOut(plan, signal)
    if (change.added.length + change.removed.length > 0)
      this.#context.announce({ kind: 'acls-changed', ...change })
    this.#tellRefusal(refusal)
  }

  async #look(
    pairs: readonly TopicPair[],
    signal: AbortSignal,
  ): Promise<{ readonly plan: AclPlan } | AclRefusal> {
    const { flow, rules, names, role, source, target, principals, memory } = this.#context
    if (principals.kind === 'unknown') return aclRefusalOf('who-are-we', principals.cluster)
    const [sources, targets] = await Promise.all([
      source.describeAcls({}, signal),
      target.describeAcls({}, signal),
    ])
    if (!sources.ok) return aclRefusalOf('describe', flow.source, sources.error)
    if (!targets.ok) return aclRefusalOf('describe', flow.target, targets.error)
    const plan = planAcls({
      source: sources.value,
      target: targets.value,
      names,
      takes: (topic) => rules.select(topic) !== undefined,
      copied: pairs.map((pair) => pair.source.name),
      ours: await memory.read(signal),
      principals: principals.names,
      role,
    })
    return { plan }
  }

  /**
   * At no time is more allowed than before or after: denies are made before allows and taken away after them. What is
   * to be made is remembered first, so that a rule of ours is never taken for somebody else's.
   */
  async #carryOut(plan: AclPlan, signal: AbortSignal) {
    const { memory } = this.#context
    const of = (permission: TopicAcl['permission'], acls: readonly TopicAcl[]) =>
      acls.filter((acl) => acl.permission === permission)
    const add = plan.add.map(({ acl }) => acl)
    await memory.remember(plan.add, signal)
    const denied = await this.#change('create', of('DENY', add), signal)
    const disallowed = await this.#change('delete', of('ALLOW', plan.remove), signal)
    const allowable = of('ALLOW', add).filter(
      (allow) => !denied.failed.some(({ acl: deny }) => mayOverride(deny, allow)),
    )
    const allowed = await this.#change('create', allowable, signal)
    const needless = of('DENY', plan.remove).filter(
      (deny) => !disallowed.failed.some(({ acl: allow }) => mayOverride(deny, allow)),
    )
    const undenied = await this.#change('delete', needless, signal)
    const change: Change = {
      added: [...denied.made, ...allowed.made],
      removed: [...disallowed.made, ...undenied.made],
    }
    const failed = [denied, disallowed, allowed, undenied].flatMap((step) => step.failed)
    const neverMade = [...denied.failed, ...allowed.failed].filter(({ error }) => isFinal(error))
    const forgotten = [...change.removed, ...neverMade.map(({ acl }) => acl)]
    if (forgotten.length > 0) await memory.forget(forgotten, signal)
    if (change.added.length > 0) await this.#makeSure(plan, change.added, signal)
    const first = failed[0]?.error
    return {
      change,
      refusal: first === undefined ? undefined : aclRefusalOf('alter', this.#context.flow.target, first),
    }
  }

  /** Another replica whose turn it was until now may have forgotten what we were about to make. */
  async #makeSure(plan: AclPlan, added: readonly TopicAcl[], signal: AbortSignal): Promise<void> {
    const { memory } = this.#context
    const known = new Set((await memory.read(signal)).map(({ acl }) => aclKey(acl)))
    const made = new Set(added.map(aclKey))
    const lost = plan.add.filter(({ acl }) => made.has(aclKey(acl)) && !known.has(aclKey(acl)))
    await memory.remember(lost, signal)
  }

  async #change(what: 'create' | 'delete', acls: readonly TopicAcl[], signal: AbortSignal) {
    const made: TopicAcl[] = []
    const failed: { readonly acl: TopicAcl; readonly error: KafkaError }[] = []
    if (acls.length === 0) return { made, failed }
    const { target } = this.#context
    const outcomes: readonly Outcome[] =
      what === 'create' ? await target.createAcls(acls, signal) : await target.deleteAcls(acls, signal)
    for (const [index, acl] of acls.entries()) {
      const outcome = outcomes[index]
      if (outcome?.ok) made.push(acl)
      else if (outcome !== undefined) failed.push({ acl, error: outcome.error })
    }
    return { made, failed }
  }

  #tellNotes(notes: readonly AclNote[]): void {
    const keyOf = ({ acl, reason }: AclNote): string => `${reason} ${aclKey(acl)}`
    const news = notes.filter((note) => !this.#toldNotes.has(keyOf(note)))
    this.#toldNotes = new Set(notes.map(keyOf))
    if (news.length > 0) this.#context.announce({ kind: 'acls-not-carried', notes: news })
  }

  #tellWish(wish: Change): void {
    const key = [...wish.added.map(aclKey), '', ...wish.removed.map(aclKey)].join('\n')
    if (key === this.#toldWish) return
    this.#toldWish = key
    if (wish.added.length + wish.removed.length > 0)
      this.#context.announce({ kind: 'acls-would-change', ...wish })
  }

  #tellRefusal(refusal: AclRefusal | undefined): void {
    const reason = refusal?.reason ?? ''
    if (reason === this.#toldRefusal) return
    this.#toldRefusal = reason
    if (refusal !== undefined) this.#context.announce({ kind: 'acls-refused', ...refusal })
  }
}

/** The cluster has said no. Other errors leave open whether the rule was made. */
const isFinal = ({ code, retriable }: KafkaError): boolean => code !== undefined && !retriable
