import type { Kind, Ref } from '../model/kind.ts'
import type { Documents } from '../model/types.ts'
import type { Logger } from '../observe/logger.ts'
import { OBSERVING_PLUGINS } from '../plugin/skippable.ts'
import { findReferences } from '../secret/reference.ts'
import type { StoredItem } from '../store/config-store.ts'
import { type Address, parseDocument } from './decode.ts'
import { nameOf } from './graph.ts'
import { checkResource, type PluginChecker } from './validate.ts'

type Document = Readonly<Record<string, unknown>>

/** Makes the fields of a stored document readable that were encrypted when it was written (contract §1.9). */
export type DecryptDocument = (ref: Ref, document: Document) => Document

export interface ReadRules {
  readonly plugins: PluginChecker
  readonly logger: Logger
  readonly decrypt: DecryptDocument
}

export interface StoredDocument<K extends Kind = Kind> {
  /** Checked, with the schema's defaults. */
  readonly value: Documents[K]
  /** Whether plugins that only observe were left out, because they are not enabled. */
  readonly isAbridged: boolean
  /** The secrets that it refers to. */
  readonly references: ReadonlySet<string>
}

const NO_REFERENCES: ReadonlySet<string> = new Set()
/** In JSON a slash may be escaped, and APISIX escapes it. */
const REFERENCE_IN_TEXT = /\$(?:secret|env):\\?\/\\?\//i

/** Any character of a reference may be written so; what else is no reason to look closer. */
const ESCAPED_IN_TEXT = /\\u00[2-7]/

/** Whether a stored text can hold references to secrets; a fast look for what almost no text has. */
export function mayRefer({ value }: StoredItem): boolean {
  if (value.includes('$') && REFERENCE_IN_TEXT.test(value)) return true
  return value.includes('\\u') && ESCAPED_IN_TEXT.test(value)
}

/** Reads and checks what stands in the store. Throws with a reason for people: it is what the quarantine shows. */
export function readStored(address: Address, item: StoredItem, rules: ReadRules): StoredDocument {
  const stored = parseDocument(item.value)
  const opened = rules.decrypt(address, stored)
  const value = withoutUnknownObservers(address, opened, rules)
  const problem = checkResource(address.kind, value, {
    plugins: rules.plugins,
    id: address.id,
    isStored: true,
  })
  if (problem !== undefined) throw new Error(problem)
  return {
    value: value as unknown as Documents[Kind],
    isAbridged: value !== opened,
    references: opened !== stored || mayRefer(item) ? findReferences(value) : NO_REFERENCES,
  }
}

/** Decisions.md 22: a logger we do not have is no reason to stop serving. */
function withoutUnknownObservers(address: Address, document: Document, rules: ReadRules): Document {
  const plugins = document['plugins']
  if (plugins === null || typeof plugins !== 'object') return document
  const skipped = Object.keys(plugins).filter(
    (name) => OBSERVING_PLUGINS.has(name) && !rules.plugins.get(name),
  )
  if (skipped.length === 0) return document
  rules.logger.warn({ resource: nameOf(address), plugins: skipped }, 'unknown observing plugins are skipped')
  const kept = Object.entries(plugins).filter(([name]) => !skipped.includes(name))
  return { ...document, plugins: Object.fromEntries(kept) }
}
