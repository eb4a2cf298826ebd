import { compileExpression } from '../expr/compile.ts'
import { createIpSet } from '../lib/ip-set.ts'
import type { Kind } from '../model/kind.ts'
import { parseProto } from '../model/proto.ts'
import { isObject } from '../model/schema-value.ts'
import { SCHEMAS } from '../model/schemas/index.ts'
import { SECRET_SCHEMAS } from '../model/schemas/secret.ts'
import type { PluginConfigs, Proto, Route, Ssl, StreamRoute, Upstream } from '../model/types.ts'
import { compileValidator } from '../model/validator.ts'
import { checkSsl } from './check-ssl.ts'
import { type CheckSteps, checkReference, type Reference } from './check-steps.ts'
import { checkNodeAddresses, checkUpstream } from './check-upstream.ts'
import { compileFilterFunction } from './filter-function.ts'

/** What validation asks the plugin registry. */
export interface PluginChecker {
  /** The message of contract §1.7, `unknown plugin [x]` among them; `undefined` when the configuration may be stored. */
  check(name: string, config: unknown, place: 'resource' | 'consumer'): string | undefined
  get(name: string): { readonly metadataSchema?: object; readonly type?: string } | undefined
}

export interface CheckDeps {
  readonly plugins: PluginChecker
  /** The id that the key says, where the document does not have to carry it: a plugin's name, `vault/1`. */
  readonly id?: string
  /** The document comes from the store: what compiling can contain is not refused as a whole. */
  readonly isStored?: boolean
}

type Document = Record<string, unknown>

/**
 * Says why a document cannot be used, in the words of contract §1.6 and §1.7, or `undefined` when it can. Fills the schema's
 * defaults into `value`: pass a copy where that matters. References are taken to be there.
 */
export function checkResource(kind: Kind, value: unknown, deps: CheckDeps): string | undefined {
  const steps = KIND_CHECKS[kind](value as Document, deps)
  let step = steps.next()
  while (!step.done) step = steps.next(true)
  return step.value
}

/**
 * As {@link checkResource}, and asks for each reference whether it `exists`, in the order of contract §1.6. Whatever `exists`
 * throws passes through.
 */
export async function checkWithReferences(
  kind: Kind,
  value: unknown,
  { exists, ...deps }: CheckDeps & { exists(reference: Reference): Promise<boolean> },
): Promise<string | undefined> {
  const steps = KIND_CHECKS[kind](value as Document, deps)
  let step = steps.next()
  while (!step.done) step = steps.next(await exists(step.value))
  return step.value
}

const KIND_CHECKS: Readonly<Record<Kind, (value: Document, deps: CheckDeps) => CheckSteps>> = {
  *routes(value, deps) {
    return (
      checkExclusive(value, 'host', 'hosts') ??
      checkExclusive(value, 'remote_addr', 'remote_addrs') ??
      checkSchema('routes', value) ??
      checkRemoteAddresses(value) ??
      (yield* checkInlineUpstream(value)) ??
      (yield* checkReference(value, 'upstream_id', 'upstreams')) ??
      (yield* checkReference(value, 'service_id', 'services')) ??
      (yield* checkReference(value, 'plugin_config_id', 'plugin_configs')) ??
      checkPlugins(value, deps) ??
      checkVars(value) ??
      checkFilterFunction(value) ??
      checkScript(value)
    )
  },
  *services(value, deps) {
    return (
      checkSchema('services', value) ??
      (yield* checkInlineUpstream(value)) ??
      (yield* checkReference(value, 'upstream_id', 'upstreams')) ??
      checkPlugins(value, deps) ??
      checkScript(value)
    )
  },
  *upstreams(value) {
    return checkNodeAddresses(value) ?? checkSchema('upstreams', value) ?? (yield* checkUpstream(value))
  },
  *consumers(value, deps) {
    const problem = checkSchema('consumers', value)
    if (problem !== undefined) return problem
    return checkConsumerPlugins(value, deps) ?? (yield* checkReference(value, 'group_id', 'consumer_groups'))
  },
  credentials: (value, deps) => only(checkSchema('credentials', value) ?? checkCredential(value, deps)),
  secrets: (value, deps) => only(checkSecret(value, deps)),
  protos: (value) =>
    only(checkSchema('protos', value) ?? failure(() => parseProto((value as unknown as Proto).content))),
  *stream_routes(value) {
    return (
      checkSchema('stream_routes', value) ??
      (yield* checkInlineUpstream(value)) ??
      (yield* checkReference(value, 'upstream_id', 'upstreams')) ??
      (yield* checkReference(value, 'service_id', 'services')) ??
      (yield* checkSuperior(value)) ??
      checkStreamPlugins(value) ??
      checkProtocol(value)
    )
  },
  consumer_groups: (value, deps) => only(checkSchema('consumer_groups', value) ?? checkPlugins(value, deps)),
  plugin_configs: (value, deps) => only(checkSchema('plugin_configs', value) ?? checkPlugins(value, deps)),
  global_rules: (value, deps) => only(checkSchema('global_rules', value) ?? checkPlugins(value, deps)),
  ssls: (value, deps) => only(checkSchema('ssls', value) ?? checkSsl(value as unknown as Ssl, deps)),
  plugin_metadata: (value, deps) => only(checkSchema('plugin_metadata', value) ?? checkMetadata(value, deps)),
}

// biome-ignore lint/correctness/useYield: these kinds refer to nothing
function* only(message: string | undefined): CheckSteps {
  return message
}

function checkSchema(kind: Kind, value: unknown): string | undefined {
  const message = compileValidator(SCHEMAS[kind])(value)
  return message === undefined ? undefined : `invalid configuration: ${message}`
}

function checkExclusive(value: unknown, one: string, many: string): string | undefined {
  if (!isObject(value) || !Object.hasOwn(value, one) || !Object.hasOwn(value, many)) return undefined
  return `only one of ${one} or ${many} is allowed`
}

function* checkInlineUpstream({ upstream }: { upstream?: Upstream }): CheckSteps {
  return upstream && (yield* checkUpstream(upstream))
}

function checkPlugins(
  { plugins }: { plugins?: PluginConfigs },
  deps: CheckDeps,
  place: 'resource' | 'consumer' = 'resource',
): string | undefined {
  for (const [name, config] of Object.entries(plugins ?? {})) {
    const message = deps.plugins.check(name, config, place)
    if (message !== undefined) return message
  }
  return undefined
}

function checkConsumerPlugins(value: Document, deps: CheckDeps): string | undefined {
  const message = checkPlugins(value, deps, 'consumer')
  return message && `invalid plugins configuration: ${message}`
}

function checkCredential(value: Document, deps: CheckDeps): string | undefined {
  const { plugins = {} } = value as { plugins?: PluginConfigs }
  const isAuth = (name: string) => deps.plugins.get(name)?.type === 'auth'
  return (
    checkConsumerPlugins(value, deps) ??
    (Object.keys(plugins).every(isAuth)
      ? undefined
      : 'only supports auth type plugins in consumer credential')
  )
}

/** The manager is the first part of the id, which only the key says (contract §1.11). */
function checkSecret(value: Document, { id = String(value['id'] ?? '') }: CheckDeps): string | undefined {
  const manager = id.split('/')[0]!
  const schema = Object.hasOwn(SECRET_SCHEMAS, manager) ? SECRET_SCHEMAS[manager] : undefined
  if (schema === undefined) return `invalid secret manager: ${manager}`
  const message = compileValidator(SCHEMAS.secrets)(value) ?? compileValidator(schema)(value)
  return message && `invalid configuration: ${message}`
}

function* checkSuperior(route: StreamRoute): CheckSteps {
  const superior = route.protocol?.superior_id
  if (superior === undefined) return undefined
  if (String(superior) === String(route.id)) return 'stream route can not set itself as superior_id'
  const message = `failed to fetch stream routes[${superior}], response code: 404`
  return (yield { directory: 'stream_routes', id: String(superior), message }) ? undefined : message
}

/** No plugin runs on streams here. */
function checkStreamPlugins({ plugins = {} }: StreamRoute): string | undefined {
  const [name] = Object.keys(plugins)
  return name === undefined ? undefined : `unknown plugin [${name}]`
}

/** No protocol above TCP is known here. */
function checkProtocol({ protocol }: StreamRoute): string | undefined {
  return protocol && `unknown protocol [${protocol.name}]`
}

/** The schema lets references to secrets pass for any text. */
function checkRemoteAddresses({ remote_addr: one, remote_addrs: many = [] }: Route): string | undefined {
  return failure(() => createIpSet(one === undefined ? many : [one]), 'invalid configuration: remote_addr: ')
}

function checkVars({ vars }: Route): string | undefined {
  return vars && failure(() => compileExpression(vars), "failed to validate the 'vars' expression: ")
}

function checkFilterFunction({ filter_func: source }: Route): string | undefined {
  return source === undefined ? undefined : failure(() => compileFilterFunction(source))
}

function failure(compile: () => unknown, prefix = ''): string | undefined {
  try {
    compile()
    return undefined
  } catch (error) {
    return prefix + (error as Error).message
  }
}

/** A script would be the resource's whole behaviour: storing one that never runs would let requests pass unguarded. */
function checkScript({ script }: { script?: string }): string | undefined {
  if (script === undefined) return undefined
  return "failed to load 'script' string: scripts are not run here; put the behaviour into a plugin and configure it under 'plugins'"
}

function checkMetadata({ id, ...metadata }: Document, deps: CheckDeps): string | undefined {
  const name = deps.id ?? id
  if (typeof name !== 'string') return 'missing plugin name'
  const plugin = deps.plugins.get(name)
  if (plugin === undefined) return 'invalid plugin name'
  if (plugin.metadataSchema === undefined) return undefined
  const message = compileValidator(plugin.metadataSchema)(metadata)
  return message === undefined ? undefined : `invalid configuration: ${message}`
}
