import type { FlowEvent } from '../flow/events.ts'
import type { TopicAcl } from '../kafka/acl-binding.ts'
import type { AclNoteReason } from '../topics/acl-plan.ts'
import { aclWords, noteWords } from '../topics/acl-words.ts'

export type AclEvent = Extract<
  FlowEvent,
  { readonly kind: 'acls-changed' | 'acls-would-change' | 'acls-not-carried' }
>

/** As many are said in words; the facts for machines have all of them. */
const SAID_MAX = 20

/** Somebody may miss what these keep back; the others are meant to be as they are. */
const grave: readonly AclNoteReason[] = ['denies-replicator', 'denied-elsewhere', 'unknown-operation']

/** Says what happened to a flow's ACLs. */
export function aclEventWords(event: AclEvent): ['info' | 'warn', string] {
  switch (event.kind) {
    case 'acls-changed':
      return ['info', `ACLs of the copies: ${changes('added', 'removed', event)}`]
    case 'acls-would-change':
      return [
        'info',
        `ACLs of the copies are not changed: it would have ${changes('added', 'removed', event)}`,
      ]
    case 'acls-not-carried': {
      const notes = event.notes.map(({ acl, reason }) => `${aclWords(acl)} (${noteWords[reason]})`)
      const isGrave = event.notes.some(({ reason }) => grave.includes(reason))
      return [isGrave ? 'warn' : 'info', `ACLs not carried over as they are: ${listed(notes)}`]
    }
  }
}

function changes(
  added: string,
  removed: string,
  event: { readonly added: readonly TopicAcl[]; readonly removed: readonly TopicAcl[] },
): string {
  return [
    ...(event.added.length === 0 ? [] : [`${added} ${listed(event.added.map(aclWords))}`]),
    ...(event.removed.length === 0 ? [] : [`${removed} ${listed(event.removed.map(aclWords))}`]),
  ].join('; ')
}

function listed(words: readonly string[]): string {
  const said = words.slice(0, SAID_MAX).join(', ')
  return words.length <= SAID_MAX ? said : `${said} and ${words.length - SAID_MAX} more`
}
