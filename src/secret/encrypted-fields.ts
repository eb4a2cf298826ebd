import { isSecretReference } from '../model/reference.ts'
import type { FieldCipher } from './field-cipher.ts'

/** Which of a plugin's schemas a configuration follows. */
export type PluginPlace = 'plugin' | 'consumer' | 'metadata'

/** The dotted paths of a plugin's configuration that hold secrets, as its definition says; empty for a plugin nobody knows. */
export type SecretFieldsOf = (plugin: string, place: PluginPlace) => readonly string[]

export interface EncryptionDeps {
  readonly cipher: FieldCipher
  readonly secretFieldsOf: SecretFieldsOf
  /** Likewise for further secrets that APISIX keeps as plain text: what it reads too must stay as it reads it. */
  readonly hiddenFieldsOf?: SecretFieldsOf
}

export interface DecryptionDeps extends EncryptionDeps {
  /** Told of each field that another node's key wrote and that is therefore still cipher text in the result. */
  readonly onUnreadable?: (path: string) => void
}

/** Kind and id of a document; the id is the plugin's name for `plugin_metadata`, and `vault/1` for `secrets`. */
export interface DocumentRef {
  readonly kind: string
  readonly id: string
}

type Fields = Readonly<Record<string, unknown>>
type Change = (text: string, path: string) => string

/** The document as it is stored: secret fields encrypted. Returns `document` itself when nothing changes; never changes it. */
export function encryptDocument<Document extends object>(
  ref: DocumentRef,
  document: Document,
  { cipher, secretFieldsOf, hiddenFieldsOf = NO_FIELDS }: EncryptionDeps,
): Document {
  if (cipher.writes === 'plain') return document
  const encrypt: Change = (text) => (isSecretReference(text) ? text : cipher.encrypt(text))
  const encryptPem: Change = (text, path) => (text.startsWith('---') ? encrypt(text, path) : text)
  return changeSecrets(ref, document, {
    change: encrypt,
    changePem: encryptPem,
    // APISIX does not decrypt the tokens of its secret managers either.
    hasEncryptedManagers: cipher.writes === 'own',
    fieldsOf: cipher.writes === 'own' ? both(secretFieldsOf, hiddenFieldsOf) : secretFieldsOf,
  })
}

/** The document as it is used: the reverse of {@link encryptDocument}, whatever the settings were when it was written. */
export function decryptDocument<Document extends object>(
  ref: DocumentRef,
  document: Document,
  { cipher, secretFieldsOf, hiddenFieldsOf = NO_FIELDS, onUnreadable }: DecryptionDeps,
): Document {
  const decrypt: Change = (text, path) => {
    if (cipher.isUnreadable(text)) onUnreadable?.(path)
    return cipher.decrypt(text)
  }
  return changeSecrets(ref, document, {
    change: decrypt,
    changePem: decrypt,
    hasEncryptedManagers: true,
    fieldsOf: both(secretFieldsOf, hiddenFieldsOf),
  })
}

interface Walk {
  readonly change: Change
  /** For the keys of ssls. */
  readonly changePem: Change
  readonly hasEncryptedManagers: boolean
  readonly fieldsOf: SecretFieldsOf
}

const NO_FIELDS: SecretFieldsOf = () => []

function both(first: SecretFieldsOf, second: SecretFieldsOf): SecretFieldsOf {
  return (plugin, place) => [...first(plugin, place), ...second(plugin, place)]
}

const MANAGER_FIELDS = ['token', 'secret_access_key', 'session_token', 'auth_config.private_key']

function changeSecrets<Document extends object>(ref: DocumentRef, document: Document, walk: Walk): Document {
  const fields = document as Fields
  return changeKind(ref, fields, walk) as Document
}

function changeKind({ kind, id }: DocumentRef, document: Fields, walk: Walk): Fields {
  const { change, changePem, fieldsOf } = walk
  if (kind === 'ssls') return changeAll(document, ['key', 'keys'], changePem)
  if (kind === 'upstreams') return changeAll(document, ['tls.client_key'], change)
  if (kind === 'secrets')
    return walk.hasEncryptedManagers ? changeAll(document, MANAGER_FIELDS, change) : document
  if (kind === 'plugin_metadata') return changeAll(document, fieldsOf(id, 'metadata'), change)
  const place = kind === 'consumers' || kind === 'credentials' ? 'consumer' : 'plugin'
  return changePlugins(changeAll(document, ['upstream.tls.client_key'], change), place, walk)
}

function changePlugins(document: Fields, place: PluginPlace, { change, fieldsOf }: Walk): Fields {
  const plugins = document['plugins']
  if (!isFields(plugins)) return document
  let copy: Record<string, unknown> | undefined
  for (const [name, config] of Object.entries(plugins)) {
    const paths = fieldsOf(name, place)
    if (paths.length === 0 || !isFields(config)) continue
    const changed = changeAll(config, paths, (text, path) => change(text, `plugins.${name}.${path}`))
    if (changed === config) continue
    copy ??= { ...plugins }
    setOwn(copy, name, changed)
  }
  return copy ? { ...document, plugins: copy } : document
}

function changeAll(document: Fields, paths: readonly string[], change: Change): Fields {
  let changed: unknown = document
  for (const path of paths) {
    changed = changeAt(changed, path.split('.'), (text) => change(text, path))
  }
  return changed as Fields
}

/** Changes what stands at a path; arrays on the way are traversed. A leaf is a text, or a list or map of texts. */
function changeAt(value: unknown, path: readonly string[], change: (text: string) => string): unknown {
  if (Array.isArray(value)) return changeItems(value, (item) => changeAt(item, path, change))
  const [key, ...rest] = path
  if (key === undefined) return changeLeaf(value, change)
  if (!isFields(value) || !Object.hasOwn(value, key)) return value
  const before = value[key]
  const after = changeAt(before, rest, change)
  return after === before ? value : { ...value, [key]: after }
}

function changeLeaf(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value)
  if (!isFields(value)) return value
  let copy: Record<string, unknown> | undefined
  for (const [key, before] of Object.entries(value)) {
    const after = typeof before === 'string' ? change(before) : before
    if (after === before) continue
    copy ??= { ...value }
    setOwn(copy, key, after)
  }
  return copy ?? value
}

function changeItems(items: readonly unknown[], change: (item: unknown) => unknown): unknown {
  const changed = items.map(change)
  return changed.some((item, index) => item !== items[index]) ? changed : items
}

/** As an assignment, but also for a key such as `__proto__`. */
function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
