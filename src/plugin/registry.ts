import type { Validator } from '../model/validator.ts'
import { compileValidator } from '../model/validator.ts'
import type { AnyPlugin, CheckTools, Schema } from './definition.ts'
import { type CompiledMeta, compileMeta, META_SCHEMA, type PluginMeta } from './meta.ts'

/** Where a configuration stands: under a consumer, auth plugins are checked against their `consumerSchema`. */
export type ConfigPlace = 'resource' | 'consumer'

/** A configuration that passed its checks: a private copy with the schema's defaults, `_meta` apart. */
export interface PreparedConfig {
  readonly plugin: AnyPlugin
  readonly config: Readonly<Record<string, unknown>>
  readonly meta: PluginMeta
  readonly compiledMeta: CompiledMeta
}

interface Registered {
  readonly definition: AnyPlugin
  readonly validators: Record<ConfigPlace, Validator>
  readonly metadataValidator: Validator | undefined
  readonly attr: Readonly<Record<string, unknown>>
}

/** The plugins that were loaded, by name, and which of them are enabled: to everyone else the others are not there. Duplicate names are refused. */
export class PluginRegistry {
  readonly #plugins = new Map<string, Registered>()
  /** Absent as long as all that are registered are enabled. */
  #enabled: ReadonlySet<string> | undefined
  /** What was prepared from a configuration object lately: it is checked first and compiled right after. */
  readonly #prepared: Record<ConfigPlace, WeakMap<object, PreparedConfig>> = {
    resource: new WeakMap(),
    consumer: new WeakMap(),
  }
  readonly #tools: CheckTools
  readonly #defaultMetadata = new Map<string, Readonly<Record<string, unknown>>>()

  /** Without `checkUpstream`, upstreams inside configurations are not looked at before they are compiled. */
  constructor(checkUpstream: CheckTools['checkUpstream'] = () => undefined) {
    this.#tools = {
      check: (name, config) => this.check(name, config, 'resource'),
      find: (name) => this.get(name),
      attr: (name) => this.attr(name),
      checkUpstream,
    }
  }

  /** `attr` is what `plugin_attr` says of it, checked against its `attrSchema`. */
  register(definition: AnyPlugin, attr: Readonly<Record<string, unknown>> = {}): void {
    const { name } = definition
    if (this.#plugins.has(name)) {
      throw new Error(`plugin "${name}" is registered twice; give one of them another name`)
    }
    const resource = compileValidator(withMeta(definition.schema))
    const consumer = definition.consumerSchema
      ? compileValidator(withMeta(definition.consumerSchema))
      : resource
    this.#plugins.set(name, {
      definition,
      validators: { resource, consumer },
      metadataValidator: definition.metadataSchema ? compileValidator(definition.metadataSchema) : undefined,
      attr,
    })
  }

  /** As {@link register}, in the place of one of that name if there is one. */
  replace(definition: AnyPlugin, attr?: Readonly<Record<string, unknown>>): void {
    this.remove(definition.name)
    this.register(definition, attr)
  }

  /** As if it had never been registered. */
  remove(name: string): void {
    this.#plugins.delete(name)
    this.#defaultMetadata.delete(name)
  }

  /** Enables exactly these of the registered plugins, from the next check or compile on. */
  setEnabled(names: Iterable<string>): void {
    this.#enabled = new Set(names)
  }

  /** Enabled or not. */
  registered(name: string): AnyPlugin | undefined {
    return this.#plugins.get(name)?.definition
  }

  get(name: string): AnyPlugin | undefined {
    return this.#find(name)?.definition
  }

  /** The enabled ones by priority, highest first; equal priorities by name. */
  all(): AnyPlugin[] {
    return [...this.#plugins.keys()].flatMap((name) => this.get(name) ?? []).sort(byPriority)
  }

  /** `plugin_attr.<name>`, also of a plugin that is no longer enabled: its last requests may read it. */
  attr(name: string): Readonly<Record<string, unknown>> {
    return this.#plugins.get(name)?.attr ?? {}
  }

  /** The message of contract §1.7, or `undefined` when the configuration may be stored. */
  check(name: string, config: unknown, place: ConfigPlace): string | undefined {
    const prepared = this.#prepare(name, config, place)
    return typeof prepared === 'string' ? prepared : undefined
  }

  /** Throws an Error with the message of {@link check} when the configuration is not usable. */
  prepare(name: string, config: unknown, place: ConfigPlace): PreparedConfig {
    const prepared = this.#prepare(name, config, place)
    if (typeof prepared === 'string') throw new Error(prepared)
    return prepared
  }

  /** Checks plugin metadata and fills its defaults in; `undefined` value means "none stored". */
  prepareMetadata(name: string, value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const copy = structuredClone(value) as Record<string, unknown>
    // Also of a plugin that is no longer enabled: its last requests may read it.
    const problem = this.#plugins.get(name)?.metadataValidator?.(copy)
    if (problem !== undefined) throw new Error(`invalid configuration: ${problem}`)
    return copy
  }

  /** The metadata of a plugin for which none is stored: the schema's defaults. */
  defaultMetadata(name: string): Readonly<Record<string, unknown>> {
    let defaults = this.#defaultMetadata.get(name)
    if (!defaults) {
      defaults = Object.freeze({})
      try {
        defaults = Object.freeze(this.prepareMetadata(name, {}))
      } catch {
        // Metadata with required fields has no defaults: the plugin sees an empty object until some is stored.
      }
      this.#defaultMetadata.set(name, defaults)
    }
    return defaults
  }

  #find(name: string): Registered | undefined {
    return this.#enabled === undefined || this.#enabled.has(name) ? this.#plugins.get(name) : undefined
  }

  #prepare(name: string, config: unknown, place: ConfigPlace): PreparedConfig | string {
    if (!isTable(config)) return `invalid plugin conf ${shown(config)} for plugin [${name}]`
    const registered = this.#find(name)
    if (!registered) return `unknown plugin [${name}]`
    const known = this.#prepared[place].get(config)
    if (known?.plugin === registered.definition) return known
    const prepared = prepare(registered, config, { place, tools: this.#tools })
    if (typeof prepared !== 'string') this.#prepared[place].set(config, prepared)
    return prepared
  }
}

interface CheckCase {
  readonly place: ConfigPlace
  readonly tools: CheckTools
}

function prepare(
  { definition, validators }: Registered,
  config: Record<string, unknown>,
  { place, tools }: CheckCase,
): PreparedConfig | string {
  const { name } = definition
  const copy = structuredClone(config)
  const isDisabled = (config['_meta'] as PluginMeta | undefined)?.disable === true
  const problem = validators[place](copy) ?? checkRules(definition, copy, { place, tools })
  // A disabled plugin is stored whatever its configuration says (contract §1.7); it never runs.
  if (problem !== undefined && !isDisabled) {
    return `failed to check the configuration of plugin ${name} err: ${problem}`
  }
  const { _meta, ...rest } = copy
  const meta = (_meta ?? {}) as PluginMeta
  try {
    return { plugin: definition, config: rest, meta, compiledMeta: compileMeta(name, meta) }
  } catch (error) {
    return (error as Error).message
  }
}

function checkRules(
  plugin: AnyPlugin,
  config: Record<string, unknown>,
  { place, tools }: CheckCase,
): string | undefined {
  try {
    if (place === 'consumer' && plugin.consumerSchema) plugin.checkConsumer?.(config)
    else plugin.check?.(config, tools)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

function withMeta(schema: Schema): Schema {
  const properties = (schema['properties'] ?? {}) as Record<string, unknown>
  return { ...schema, properties: { ...properties, _meta: META_SCHEMA } }
}

function byPriority(a: AnyPlugin, b: AnyPlugin): number {
  return b.priority - a.priority || (a.name < b.name ? -1 : 1)
}

/** An empty array is Lua's empty table, so it passes as an object. */
function isTable(value: unknown): value is Record<string, unknown> {
  if (value === null || typeof value !== 'object') return false
  return !Array.isArray(value) || value.length === 0
}

function shown(value: unknown): string {
  return value === null || value === undefined ? '"userdata: NULL"' : JSON.stringify(value)
}
