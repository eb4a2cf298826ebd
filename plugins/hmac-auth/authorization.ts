/** What `Authorization: Signature …` says. */
export interface SignatureFields {
  readonly keyId: string
  readonly algorithm: string
  readonly signature: string
  /** What was signed, in this order, spelt as the client did; empty when it names nothing. */
  readonly headers: readonly string[]
}

const SCHEME = 'Signature'
/** One `name="value"` and what ends it. */
const FIELD = /[ \t]*([A-Za-z]+)="([^"]*)"[ \t]*(?:,|$)/y

/** Whether the header is one of the Signature scheme. */
export const isSignature = (authorization: string): boolean => authorization.startsWith(SCHEME)

/** Reads the fields; a text says what is wrong with them. A field that stands twice could be read in two ways, so it is refused. */
export function readFields(authorization: string): SignatureFields | string {
  const fields = new Map<string, string>()
  FIELD.lastIndex = SCHEME.length
  while (FIELD.lastIndex < authorization.length) {
    const match = FIELD.exec(authorization)
    if (!match) return 'Authorization is no list of name="value"'
    const [, name = '', value = ''] = match
    if (fields.has(name)) return `${name} stands twice`
    fields.set(name, value)
  }
  const keyId = fields.get('keyId')
  const signature = fields.get('signature')
  const algorithm = fields.get('algorithm')
  if (keyId === undefined || signature === undefined) return 'keyId or signature missing'
  if (algorithm === undefined) return 'algorithm missing'
  const headers = (fields.get('headers') ?? '').split(' ').filter((name) => name !== '')
  return { keyId, algorithm, signature, headers }
}
