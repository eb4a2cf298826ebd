/** The part of a JSON schema that a reader of the docs wants to see. */
interface Node {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly pattern?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[]
  readonly items?: Node
  readonly anyOf?: readonly Node[]
  readonly oneOf?: readonly Node[]
}

const OPEN = '<!-- attributes -->'
const CLOSE = '<!-- /attributes -->'
const HEAD = '| Attribute | Type | Default | Valid | Description |\n|---|---|---|---|---|'

/** A table of all attributes of a schema in its own order, nested ones as `rules[].key`; those that must be there carry a `*`. */
export function attributeTable(schema: object): string {
  return [HEAD, ...rows(schema as Node, '')].join('\n')
}

/** The table of a README between its markers, `undefined` when it has none. */
export function tableIn(readme: string): string | undefined {
  const start = readme.indexOf(OPEN)
  const end = readme.indexOf(CLOSE)
  return start === -1 || end < start ? undefined : readme.slice(start + OPEN.length, end).trim()
}

/** A table without its alignment, which the formatter of the tree chooses. */
export function unaligned(table: string): string {
  return table.replace(/ *\| */g, '|').replace(/-{3,}/g, '---')
}

/** The README with `table` between its markers. */
export function withTable(readme: string, table: string): string {
  const start = readme.indexOf(OPEN) + OPEN.length
  const end = readme.indexOf(CLOSE)
  return `${readme.slice(0, start)}\n${table}\n${readme.slice(end)}`
}

function rows(schema: Node, prefix: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, node]) => {
    const name = prefix + key
    const mark = schema.required?.includes(key) ? '*' : ''
    return [
      row(`\`${name}\`${mark}`, node),
      ...rows(node, `${name}.`),
      ...rows(node.items ?? {}, `${name}[].`),
    ]
  })
}

function row(name: string, node: Node): string {
  const cells = [name, typeOf(node), defaultOf(node), limitsOf(node), node.description ?? '']
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function typeOf(node: Node): string {
  if (node.type === 'array') return node.items ? `array of ${typeOf(node.items)}` : 'array'
  if (node.type) return node.type
  const types = (node.anyOf ?? node.oneOf ?? []).map(typeOf)
  return [...new Set(types)].join(' or ')
}

function defaultOf({ default: value }: Node): string {
  return value === undefined ? '' : `\`${JSON.stringify(value)}\``
}

function limitsOf(node: Node): string {
  const limits = [
    node.enum?.map((value) => `\`${value}\``).join(', '),
    range(node.minimum, node.maximum, ''),
    node.exclusiveMinimum === undefined ? undefined : `> ${node.exclusiveMinimum}`,
    range(node.minLength, node.maxLength, ' characters'),
    range(node.minItems, undefined, ' items'),
    node.pattern === undefined ? undefined : `\`${node.pattern}\``,
    ...(node.oneOf ?? []).map(limitsOf),
  ]
  return limits.filter(Boolean).join('; ')
}

function range(low: number | undefined, high: number | undefined, unit: string): string | undefined {
  if (low === undefined && high === undefined) return undefined
  if (high === undefined) return `≥ ${low}${unit}`
  return low === undefined ? `≤ ${high}${unit}` : `${low}–${high}${unit}`
}
