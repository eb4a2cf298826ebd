import { isMap, type SectionSpec } from './key-spec.ts'
import { ROOT } from './keys/keys.ts'
import type { LoadedSettings } from './load.ts'
import { childPath } from './path.ts'

/** One effective value, ready to be shown: secrets are masked. */
export interface EffectiveValue {
  readonly path: string
  /** As JSON. */
  readonly value: string
  /** `default`, `config.yaml:12`, `env`, `flag`, or the key that decided. */
  readonly source: string
}

const MASK = '***'
const SECRET_NAME = /pass(word)?|secret|token|credential|(^|[_-])key$|keyring/i

/** Every effective value with where it came from, in the order of the reference; unset optional keys are left out. */
export function describeSettings(loaded: LoadedSettings): EffectiveValue[] {
  const rows = describeSection({ section: ROOT, value: loaded.settings, path: '' }, loaded.sources)
  const { store } = loaded.settings
  const kept =
    store.type === 'etcd' ? store.etcd.host.map(withoutUserInfo).join(' ') : 'path' in store ? store.path : ''
  return [...rows, { path: '(store)', value: `${store.type} ${kept}`.trim(), source: 'docs: "Which store"' }]
}

interface SectionValue {
  readonly section: SectionSpec
  readonly value: unknown
  readonly path: string
}

function describeSection(
  { section, value, path }: SectionValue,
  sources: LoadedSettings['sources'],
): EffectiveValue[] {
  if (!isMap(value)) return []
  return Object.entries(value).flatMap(([name, child]) => {
    const childSpec = Object.hasOwn(section.keys, name) ? section.keys[name] : undefined
    if (childSpec === undefined && section.rest !== 'free') return []
    const at = childPath(path, name)
    const form = childSpec?.value
    if (form?.kind === 'section' && Object.keys(form.keys).length > 0) {
      return describeSection({ section: form, value: child, path: at }, sources)
    }
    const shown = childSpec?.isSecret ? maskAll(child) : mask(child)
    return [{ path: at, value: JSON.stringify(shown), source: sources.get(at) ?? 'default' }]
  })
}

/** The value of a key as JSON for people, without what its name or a URL in it gives away as a secret. */
export function shownValue(name: string, value: unknown): string {
  return JSON.stringify(SECRET_NAME.test(name) ? maskAll(value) : mask(value)) ?? 'undefined'
}

function maskAll(value: unknown): unknown {
  return Array.isArray(value) ? value.map(() => MASK) : MASK
}

/** Hides what a name or a URL gives away as a secret, at any depth. */
function mask(value: unknown): unknown {
  if (typeof value === 'string') return withoutUserInfo(value)
  if (Array.isArray(value)) return value.map(mask)
  if (!isMap(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, child]) => [
      name,
      SECRET_NAME.test(name) ? maskAll(child) : mask(child),
    ]),
  )
}

function withoutUserInfo(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@\s]+@/i, `$1${MASK}@`)
}
