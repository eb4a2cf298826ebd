import { STATUS_CODES } from 'node:http'
import { ERROR_STATUS, type ErrorCode } from '../../../src/registry/registry-error.ts'
import { REGISTRY_ANSWERS, type RegistryAnswerName } from '../registry/answers.ts'
import { REGISTRY_OPERATIONS, type RegistryOperation } from '../registry/operations.ts'
import { REGISTRY_ROOT } from '../registry/registry-root.ts'
import { reference, toSchema2020 } from './json-schema.ts'

/** What the registry adds to the document of the admin API: tag, paths, schemas and its key. */
export interface RegistryPart {
  readonly tags: readonly object[]
  readonly paths: Readonly<Record<string, object>>
  readonly schemas: Readonly<Record<string, unknown>>
  readonly securitySchemes: Readonly<Record<string, object>>
}

const TAG = 'registry'
const ABOUT =
  'Where service instances register, at `/apisix/registry`. Every refusal has an `error_code`. It takes the key of the registry, or an ' +
  'admin key that is not limited to some resources.'

/** Any call may be refused for these. */
const ALWAYS: readonly ErrorCode[] = ['VALIDATION_FAILED', 'UNAUTHORIZED', 'FORBIDDEN', 'TOO_MANY_REQUESTS']
/** An agent that registers for a node that is not there meets another status than who asks for the node. */
const CLAIM_STATUS: Readonly<Partial<Record<ErrorCode, number>>> = { NODE_NOT_FOUND: 412 }

const PATH_PARAMETERS: Readonly<Record<string, string>> = {
  node_id: '1 to 128 letters, digits, `.`, `_` and `-`',
  type: 'The name of the service: 1 to 64 letters, digits, `.`, `_` and `-`',
  key: 'The name of the agent among those of its type, in the same letters',
}

const EVENTS = {
  operationId: 'registry-get-events',
  tags: [TAG],
  summary: 'What happens in the registry, as server-sent events',
  security: [{ key: [] }, { registryKey: [] }],
  parameters: [
    {
      name: 'since',
      in: 'query',
      description: 'The revision after which to go on; `Last-Event-ID` means the same.',
      schema: { type: 'integer', minimum: 0 },
    },
  ],
  responses: {
    200: {
      description: '`agent_registered`, `agent_updated`, `agent_removed`, `node_status`',
      content: { 'text/event-stream': { schema: { type: 'string' } } },
    },
    ...refusals([...ALWAYS, 'EVENTS_GONE'], {}),
  },
}

/** The registry as the document of the admin API describes it. */
export function describeRegistry(): RegistryPart {
  const paths: Record<string, Record<string, object>> = { [`${REGISTRY_ROOT}/events`]: { get: EVENTS } }
  for (const operation of REGISTRY_OPERATIONS) {
    const path = REGISTRY_ROOT + operation.path
    paths[path] ??= {}
    paths[path]![operation.method] = describe(operation)
  }
  const schemas = Object.entries(REGISTRY_ANSWERS).map(([name, schema]) => [name, toSchema2020(schema)])
  return {
    tags: [{ name: TAG, description: ABOUT }],
    paths,
    schemas: Object.fromEntries(schemas),
    securitySchemes: {
      registryKey: {
        type: 'apiKey',
        in: 'header',
        name: 'X-API-KEY',
        description: 'The key of `gatewright.registry.key`, which opens nothing else.',
      },
    },
  }
}

function describe({ method, path, summary, query = {}, body, answers, errors }: RegistryOperation): object {
  const isClaim = path.startsWith('/agents') && body !== undefined
  return {
    operationId: `registry-${method}${path.replace(/[^a-z]+/gi, '-')}`.replace(/-$/, ''),
    tags: [TAG],
    summary,
    security: [{ key: [] }, { registryKey: [] }],
    parameters: [...inPath(path), ...inQuery(query)],
    ...(body && { requestBody: { content: { 'application/json': { schema: toSchema2020(body) } } } }),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, name]) => [status, answer(status, name)])),
      ...refusals([...ALWAYS, ...errors], isClaim ? CLAIM_STATUS : {}),
    },
  }
}

function inPath(path: string): object[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    description: PATH_PARAMETERS[name],
    schema: { type: 'string' },
  }))
}

function inQuery(query: Readonly<Record<string, string>>): object[] {
  return Object.entries(query).map(([name, description]) => ({
    name,
    in: 'query',
    description,
    schema: { type: 'string' },
  }))
}

function answer(status: string, name: RegistryAnswerName | undefined): object {
  return {
    description: STATUS_CODES[status] ?? '',
    ...(name && { content: { 'application/json': { schema: reference(name) } } }),
  }
}

/** By status, each naming the codes that it is met with. */
function refusals(
  codes: readonly ErrorCode[],
  other: Readonly<Partial<Record<ErrorCode, number>>>,
): Record<string, object> {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of codes) {
    const status = other[code] ?? ERROR_STATUS[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  const content = { 'application/json': { schema: reference('registry.error') } }
  return Object.fromEntries(
    [...byStatus].map(([status, names]) => [
      status,
      { description: names.map((name) => `\`${name}\``).join(', '), content },
    ]),
  )
}
