import { allOperations } from '../../admin/api/openapi/document.ts'
import type { Example, ExampleGroup } from '../../admin/api/openapi/example.ts'
import { EXAMPLE_GROUPS } from '../../admin/api/openapi/examples/index.ts'
import type { Operation } from '../../admin/api/openapi/operation.ts'
import { PARAMETERS } from '../../admin/api/openapi/parameters.ts'
import { isKind } from '../../src/model/kind.ts'
import { SCHEMAS } from '../../src/model/schemas/index.ts'
import { SECRET_SCHEMAS } from '../../src/model/schemas/secret.ts'
import { attributeTable } from './attribute-table.ts'

/** Columns up to which JSON stays in one line. */
const WIDTH = 100

/** The generated part of docs/reference/admin-api.md: what may be asked, in which form, and what is answered. */
export function renderAdminApi(): string {
  const operations = allOperations()
  return [parameterTable(), ...EXAMPLE_GROUPS.map((group) => renderGroup(group, operations))].join('\n\n')
}

function parameterTable(): string {
  const rows = Object.values(PARAMETERS).map(
    ({ name, in: place, description }) => `| \`${name}\` | ${place} | ${description} |`,
  )
  return ['## Parameters', '', '| name | in | meaning |', '|---|---|---|', ...rows].join('\n')
}

function renderGroup({ name, about, examples }: ExampleGroup, operations: readonly Operation[]): string {
  const own = operations.filter(({ group }) => group === name)
  const rows = own.map(({ method, path, summary, parameters }) => {
    const names = parameters.map((parameter) => `\`${PARAMETERS[parameter].name}\``).join(' ')
    return `| \`${method.toUpperCase()} ${path}\` | ${summary} | ${names} |`
  })
  return [
    `## ${name}`,
    about,
    ['| request | does | takes |', '|---|---|---|', ...rows].join('\n'),
    ...fields(name),
    ...examples.map(renderExample),
  ].join('\n\n')
}

/** An upstream inside of another document has the fields of an upstream, which are not repeated. */
function fields(name: string): string[] {
  if (name === 'secrets') {
    return Object.entries(SECRET_SCHEMAS).map(
      ([manager, schema]) => `With \`${manager}\`:\n\n${attributeTable(schema)}`,
    )
  }
  if (!isKind(name)) return []
  const { properties, required } = SCHEMAS[name] as {
    readonly properties?: Readonly<Record<string, object>>
    readonly required?: readonly string[]
  }
  if (properties === undefined) return []
  const upstream = { type: 'object', description: 'the fields of an [upstream](#upstreams)' }
  const shown = Object.hasOwn(properties, 'upstream') ? { ...properties, upstream } : properties
  return [attributeTable({ properties: shown, ...(required && { required }) })]
}

function renderExample({
  title,
  method,
  path,
  headers = {},
  body,
  status,
  answer,
  has = {},
}: Example): string {
  const flags = { GET: '', HEAD: ' -I' }[method as string] ?? ` -X ${method}`
  const { 'x-api-key': key = '$KEY', ...others } = headers
  const sent = [`X-API-KEY: ${key}`, ...Object.entries(others).map(([name, value]) => `${name}: ${value}`)]
  const payload = body === undefined ? '' : renderBody(body)
  const quoted = sent.map((header) => (header.includes('$') ? `"${header}"` : `'${header}'`))
  const lines = [
    `### ${title}`,
    fence('sh', `curl${flags} "$ADMIN${path}" ${quoted.map((header) => `-H ${header}`).join(' ')}${payload}`),
    [`\`${status}\``, ...Object.entries(has).map(([name, value]) => `\`${name}: ${value}\``)].join(' · '),
  ]
  if (answer !== undefined)
    lines.push(typeof answer === 'string' ? fence('text', answer) : fence('json', json(answer)))
  return lines.join('\n\n')
}

/** A text that is no JSON has lines of its own. */
function renderBody(body: unknown): string {
  if (typeof body === 'string' && !body.startsWith('"')) return ` --data-binary @- <<'END'\n${body}END`
  const text = typeof body === 'string' ? body : json(body)
  return ` -d '${text.replaceAll("'", "'\\''")}'`
}

function fence(language: string, text: string): string {
  return `\`\`\`${language}\n${text}\n\`\`\``
}

/** JSON with what fits into a line on one line. */
function json(value: unknown, indent = ''): string {
  const flat = oneLine(value)
  if (typeof value !== 'object' || value === null || indent.length + flat.length <= WIDTH) return flat
  const inner = `${indent}  `
  const members = Array.isArray(value)
    ? value.map((one) => json(one, inner))
    : Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${json(one, inner)}`)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${members.map((member) => inner + member).join(',\n')}\n${indent}${close}`
}

function oneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${oneLine(one)}`)
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`
}
