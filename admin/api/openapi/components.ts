import { KINDS } from '../../../src/model/kind.ts'
import { SCHEMAS } from '../../../src/model/schemas/index.ts'
import { SECRET_SCHEMAS } from '../../../src/model/schemas/secret.ts'
import { META_SCHEMA } from '../../../src/plugin/meta.ts'
import type { PluginDescription } from '../deps.ts'
import { RESOURCES } from '../resources.ts'
import { ANSWER_SCHEMAS, REFUSALS } from './answers.ts'
import { reference, toSchema2020 } from './json-schema.ts'
import { ANSWER_HEADERS, PARAMETERS } from './parameters.ts'
import type { RegistryPart } from './registry-paths.ts'
import { componentOf, shownComponentOf } from './resource-operations.ts'

type Schemas = Record<string, unknown>

/** What operations refer to; the plugins are those that are enabled, the registry is absent where it is switched off. */
export function buildComponents(
  plugins: readonly PluginDescription[],
  registry: RegistryPart | undefined,
): object {
  return {
    schemas: {
      ...{ ...resourceSchemas(), ...shownSchemas(), ...pluginSchemas(plugins) },
      ...{ ...ANSWER_SCHEMAS, ...registry?.schemas },
    },
    parameters: PARAMETERS,
    headers: ANSWER_HEADERS,
    responses: Object.fromEntries(
      Object.entries(REFUSALS).map(([status, description]) => [
        status,
        { description, content: { 'application/json': { schema: reference('error') } } },
      ]),
    ),
    securitySchemes: {
      key: {
        type: 'apiKey',
        in: 'header',
        name: 'X-API-KEY',
        description: 'A key of `deployment.admin.admin_key`; it may stand in the query as `api_key` too.',
      },
      ...registry?.securitySchemes,
    },
  }
}

/** Inline upstreams and others that are the schema of a kind become references to it. */
function resourceSchemas(): Schemas {
  const names = new Map<object, string>(KINDS.map((kind) => [SCHEMAS[kind], componentOf(kind)]))
  const all = KINDS.map((kind) => [
    componentOf(kind),
    withPlugins(
      withOptionalId(toSchema2020(SCHEMAS[kind], names)),
      kind === 'consumers' || kind === 'credentials',
    ),
  ])
  const managers = Object.entries(SECRET_SCHEMAS).map(([name, schema]) => [
    `secret.${name}`,
    toSchema2020(schema),
  ])
  return {
    ...Object.fromEntries([...all, ...managers]),
    secret: { anyOf: managers.map(([name]) => reference(String(name))) },
  }
}

/** Of those with fields that no answer shows: the others, with no rule that could ask for what is left out. */
function shownSchemas(): Schemas {
  const partly = [...RESOURCES.values()].filter(({ hidden = [] }) => hidden.length > 0)
  return Object.fromEntries(
    partly.map((resource) => {
      const { properties = {} } = toSchema2020(SCHEMAS[resource.kind]) as { readonly properties?: Schemas }
      const shown = Object.entries(properties).filter(([name]) => !resource.hidden?.includes(name))
      return [shownComponentOf(resource), { type: 'object', properties: Object.fromEntries(shown) }]
    }),
  )
}

/** The id may stand in the path alone; the API sets it before it asks the schema. */
function withOptionalId(schema: unknown): unknown {
  const { required, ...rest } = schema as { readonly required?: readonly string[] }
  const others = required?.filter((name) => name !== 'id') ?? []
  return others.length > 0 ? { ...rest, required: others } : rest
}

function withPlugins(schema: unknown, isConsumer: boolean): unknown {
  const { properties } = schema as { readonly properties?: Schemas }
  if (properties?.['plugins'] === undefined) return schema
  const plugins = reference(isConsumer ? 'plugins.of-consumer' : 'plugins')
  const own = properties['plugins'] as Schemas
  const limit = Object.hasOwn(own, 'maxProperties') ? { maxProperties: own['maxProperties'] } : {}
  return { ...(schema as Schemas), properties: { ...properties, plugins: { ...plugins, ...limit } } }
}

function pluginSchemas(plugins: readonly PluginDescription[]): Schemas {
  const parts = plugins.flatMap(({ name, schema, consumerSchema, metadataSchema }) => [
    [`plugins.${name}.config`, withMeta(schema)],
    ...(consumerSchema ? [[`plugins.${name}.consumer`, withMeta(consumerSchema)]] : []),
    ...(metadataSchema ? [[`plugins.${name}.metadata`, toSchema2020(metadataSchema)]] : []),
  ])
  const byName = (isConsumer: boolean) =>
    Object.fromEntries(
      plugins.map(({ name, consumerSchema }) => [
        name,
        reference(`plugins.${name}.${isConsumer && consumerSchema ? 'consumer' : 'config'}`),
      ]),
    )
  return {
    ...Object.fromEntries(parts),
    'plugins.meta': toSchema2020(META_SCHEMA),
    plugins: { type: 'object', properties: byName(false) },
    'plugins.of-consumer': { type: 'object', properties: byName(true) },
  }
}

/** `_meta` belongs to the runtime and is allowed beside what any plugin takes. */
function withMeta(schema: object): unknown {
  const converted = toSchema2020(schema) as { readonly properties?: Schemas }
  return { ...converted, properties: { ...converted.properties, _meta: reference('plugins.meta') } }
}
