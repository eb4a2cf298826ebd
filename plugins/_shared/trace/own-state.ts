import type { RequestContext, RequestSlot } from '../../../src/plugin/api.ts'

/** What one instance keeps in a request, and what others of the same plugin keep there too. */
export interface OwnEntry<T> {
  readonly owner: object
  readonly value: T
  readonly next: OwnEntry<T> | undefined
}

export interface OwnState<T> {
  get(context: RequestContext): T | undefined
  set(context: RequestContext, value: T): void
}

/**
 * State of one instance in each request. A request may meet several instances of a plugin (a global rule's and the route's), whose
 * state must not be mixed up. `slot` is the plugin's.
 */
export function ownState<T>(slot: RequestSlot<OwnEntry<T>>): OwnState<T> {
  const owner = {}
  return {
    get(context) {
      let entry = context.get(slot)
      while (entry && entry.owner !== owner) entry = entry.next
      return entry?.value
    },
    set: (context, value) => context.set(slot, { owner, value, next: context.get(slot) }),
  }
}
