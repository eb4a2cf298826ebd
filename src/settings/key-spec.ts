/**
 * What a key does in this version: `honoured` changes behaviour; `accepted` is checked and kept but has no effect yet;
 * `ignored` belongs to nginx or Lua and is only listed.
 */
export type KeyEffect = 'honoured' | 'accepted' | 'ignored'

/** A single value, told by a predicate; `allowed` finishes the sentence "use …". */
export interface LeafSpec {
  readonly kind: 'leaf'
  readonly allowed: string
  accepts(value: unknown): boolean
}

export interface ListSpec {
  readonly kind: 'list'
  readonly allowed: string
  readonly item: ValueSpec
  readonly minItems: number
}

/** A map with known keys. */
export interface SectionSpec {
  readonly kind: 'section'
  readonly keys: Readonly<Record<string, KeySpec>>
  /** What a key that is not among `keys` is: an error, free content, or ignored. */
  readonly rest: 'refused' | 'free' | 'ignored'
  /** Keys that must be there; used for the items of lists, as defaults fill everything else. */
  readonly required: readonly string[]
}

/** A value with a short form and a long one: told apart by being a list, a map or neither. */
export interface UnionSpec {
  readonly kind: 'union'
  readonly allowed: string
  readonly options: readonly ValueSpec[]
}

export type ValueSpec = LeafSpec | ListSpec | SectionSpec | UnionSpec

/** One key of the settings file. */
export interface KeySpec {
  readonly value: ValueSpec
  /** One line for the reference and the default file. */
  readonly doc: string
  readonly effect: KeyEffect
  /** Never printed, neither in `check` nor in a message. */
  readonly isSecret: boolean
  /** Whether `null` takes the key away although it has a default, because its absence has a meaning of its own. */
  readonly isDeletable: boolean
}

export interface KeyOptions {
  readonly effect?: KeyEffect
  readonly isSecret?: boolean
  readonly isDeletable?: boolean
}

/** Declares a key. */
export function key(value: ValueSpec, doc: string, options: KeyOptions = {}): KeySpec {
  const { effect = 'honoured', isSecret = false, isDeletable = false } = options
  return { value, doc, effect, isSecret, isDeletable }
}

/** Declares a key that this version accepts and does not act on yet. */
export function inert(value: ValueSpec, doc: string): KeySpec {
  return key(value, doc, { effect: 'accepted' })
}

export function leaf(allowed: string, accepts: (value: unknown) => boolean): LeafSpec {
  return { kind: 'leaf', allowed, accepts }
}

export function listOf(item: ValueSpec, allowed: string, minItems = 0): ListSpec {
  return { kind: 'list', item, allowed, minItems }
}

export function section(
  keys: Readonly<Record<string, KeySpec>>,
  options: { readonly rest?: SectionSpec['rest']; readonly required?: readonly string[] } = {},
): SectionSpec {
  return { kind: 'section', keys, rest: options.rest ?? 'refused', required: options.required ?? [] }
}

/** A map whose content someone else checks. */
export function free(): SectionSpec {
  return section({}, { rest: 'free' })
}

export function union(allowed: string, ...options: ValueSpec[]): UnionSpec {
  return { kind: 'union', allowed, options }
}

/** The words that say what a value may be. */
export function allowedWords(spec: ValueSpec): string {
  return spec.kind === 'section' ? 'a map' : spec.allowed
}

/** The form of a union that fits the shape of `value`; undefined when none does. */
export function formFor(spec: ValueSpec, value: unknown): Exclude<ValueSpec, UnionSpec> | undefined {
  if (spec.kind !== 'union') return spec
  const kind = Array.isArray(value) ? 'list' : isMap(value) ? 'section' : 'leaf'
  const option = spec.options.find((candidate) => candidate.kind === kind)
  return option === undefined || option.kind === 'union' ? undefined : option
}

/** Whether `value` is a map as YAML means it. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
