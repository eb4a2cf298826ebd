/** Makes bytes unreadable and unchangeable for who has not the key; what is kept on disk holds certificates and passwords. */
export interface Seal {
  /** Tells keys apart and says nothing of them. */
  readonly keyId: string
  /** `head` stays readable, and cannot be changed either. */
  begin(head: Uint8Array): Sealing
  /** The bytes that were added. Throws when the key is another one, or anything was changed or is missing. */
  open(head: Uint8Array, sealed: Uint8Array): Buffer
}

export interface Sealing {
  /** What to write next. */
  add(bytes: Uint8Array): Uint8Array
  /** What to write last. */
  end(): Uint8Array
}
