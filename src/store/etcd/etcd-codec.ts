import type { IEvent, IKeyValue } from 'etcd3'
import type { StoredItem, StoreEvent } from '../config-store.ts'
import { endOfPrefix } from '../keys.ts'

const FIRST_KEY = Buffer.from([0])
/** As the end of a range: no end. */
const NO_END = Buffer.from([0])

export function toItem(kv: IKeyValue): StoredItem {
  return {
    key: kv.key.toString(),
    value: kv.value.toString(),
    createRevision: Number(kv.create_revision),
    modRevision: Number(kv.mod_revision),
  }
}

export function toEvent({ type, kv }: IEvent): StoreEvent {
  // The types say Put and Delete, the wire says PUT and DELETE.
  if (type.toUpperCase() === 'PUT') return { type: 'put', item: toItem(kv) }
  return { type: 'delete', key: kv.key.toString(), modRevision: Number(kv.mod_revision) }
}

/** The range that holds exactly the keys under `prefix`; the empty prefix holds all. */
export function rangeOf(prefix: string): { readonly key: Buffer; readonly range_end: Buffer } {
  const start = Buffer.from(prefix)
  return { key: start.length > 0 ? start : FIRST_KEY, range_end: endOfPrefix(start) ?? NO_END }
}

/** A key inside the range of `prefix`, so that whoever may read the prefix may read it. */
export function probeKeyOf(prefix: string): Buffer {
  return rangeOf(prefix).key
}

/** The smallest key after `key`. */
export function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, FIRST_KEY])
}
