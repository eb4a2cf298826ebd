import { STATUS_CODES } from 'node:http'
import type { PluginDescription } from '../deps.ts'
import { ROOT } from '../paths.ts'
import { buildComponents } from './components.ts'
import type { Example } from './example.ts'
import { EXAMPLE_GROUPS } from './examples/index.ts'
import { reference } from './json-schema.ts'
import { findOperation, type Operation } from './operation.ts'
import { OTHER_OPERATIONS } from './other-operations.ts'
import { PATH_PARAMETERS } from './parameters.ts'
import { describeRegistry } from './registry-paths.ts'
import { resourceOperations } from './resource-operations.ts'

const DESCRIPTION =
  'The admin API of Gatewright, in the dialect of Apache APISIX 3.18. Every answer is JSON. `OPTIONS` answers browsers on other ' +
  'origins where `enable_admin_cors` is on; `HEAD /apisix/admin` tells that the API is there. A text beginning with `$secret://` or ' +
  '`$env://` may stand for any text of a plugin, whatever its schema says of it.'

/** Every operation that the document describes. */
export function allOperations(): Operation[] {
  return [...resourceOperations(), ...OTHER_OPERATIONS]
}

/** What the gateway has that is described. */
export interface Described {
  /** Those that are enabled. */
  readonly plugins: readonly PluginDescription[]
  readonly version: string
  readonly hasRegistry: boolean
}

/** The OpenAPI 3.1 description of the admin API, and of the registry where there is one. */
export function buildOpenApi({ plugins, version, hasRegistry }: Described): object {
  const operations = allOperations()
  const examples = examplesByOperation(operations)
  const paths: Record<string, Record<string, object>> = {}
  for (const operation of operations) {
    paths[ROOT + operation.path] ??= pathItem(operation.path)
    paths[ROOT + operation.path]![operation.method] = describe(operation, examples.get(operation) ?? [])
  }
  const registry = hasRegistry ? describeRegistry() : undefined
  return {
    openapi: '3.1.0',
    info: { title: 'Gatewright admin API', version, description: DESCRIPTION },
    security: [{ key: [] }],
    tags: [
      ...EXAMPLE_GROUPS.map(({ name, about }) => ({ name, description: about })),
      ...(registry?.tags ?? []),
    ],
    paths: { ...paths, ...registry?.paths },
    components: buildComponents(plugins, registry),
  }
}

function examplesByOperation(operations: readonly Operation[]): Map<Operation, Example[]> {
  const byOperation = new Map<Operation, Example[]>()
  for (const example of EXAMPLE_GROUPS.flatMap(({ examples }) => examples)) {
    const operation = findOperation(operations, example.method, example.path.split('?')[0]!)
    if (operation !== undefined) byOperation.set(operation, [...(byOperation.get(operation) ?? []), example])
  }
  return byOperation
}

function pathItem(path: string): Record<string, object> {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
  if (names.length === 0) return {}
  const parameters = names.map((name) => ({
    name,
    in: 'path',
    required: true,
    description: PATH_PARAMETERS[name],
    schema: { type: 'string' },
  }))
  return { parameters }
}

function describe(operation: Operation, examples: readonly Example[]): object {
  const { method, path, group, summary, parameters, body } = operation
  return {
    operationId: `${method}${path.replace(/[^a-z]+/gi, '-')}`.replace(/-$/, ''),
    tags: [group],
    summary,
    parameters: parameters.map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ...(body && {
      requestBody: {
        content: withExamples(
          body,
          named(examples, ({ body }) => body),
        ),
      },
    }),
    responses: responses(operation, examples),
  }
}

type Named = Readonly<Record<string, { readonly summary: string; readonly value: unknown }>>

function withExamples(schemas: Readonly<Record<string, object>>, examples: Named): object {
  return Object.fromEntries(
    Object.entries(schemas).map(([type, schema]) => {
      const fitting = type === 'application/json' ? isDocument : isText
      const shown = Object.entries(examples).filter(([, { value }]) => fitting(value))
      return [type, { schema, ...(shown.length > 0 && { examples: Object.fromEntries(shown) }) }]
    }),
  )
}

const isText = (value: unknown) => typeof value === 'string'
const isDocument = (value: unknown) => !isText(value)

function responses({ answers, refusals }: Operation, examples: readonly Example[]): object {
  const statuses = new Set(
    [...Object.keys(answers), ...refusals, ...examples.map(({ status }) => status)].map(Number),
  )
  const sorted = [...statuses].sort((a, b) => a - b)
  return Object.fromEntries(
    sorted.map((status) => {
      const shown = examples.filter((example) => example.status === status)
      const isDescribed = Object.hasOwn(answers, status)
      if (!isDescribed && shown.length === 0) return [status, { $ref: `#/components/responses/${status}` }]
      return [status, response(status, { schema: isDescribed ? answers[status] : reference('error'), shown })]
    }),
  )
}

function response(
  status: number,
  { schema, shown }: { schema: object | undefined; shown: readonly Example[] },
): object {
  const headers = [...new Set(shown.flatMap(({ has }) => Object.keys(has ?? {})))]
  const examples = named(shown, ({ answer }) => answer)
  return {
    description: STATUS_CODES[status] ?? '',
    ...(headers.length > 0 && {
      headers: Object.fromEntries(headers.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    }),
    ...(schema && {
      content: {
        'application/json': { schema, ...(Object.keys(examples).length > 0 && { examples }) },
      },
    }),
  }
}

function named(examples: readonly Example[], pick: (example: Example) => unknown): Named {
  return Object.fromEntries(
    examples
      .filter((example) => pick(example) !== undefined)
      .map((example) => [
        example.title.toLowerCase().replace(/[^a-z0-9]+/g, '-'),
        { summary: example.title, value: pick(example) },
      ]),
  )
}
