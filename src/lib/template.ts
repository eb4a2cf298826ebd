/** Gives the text of a variable; `undefined` when it has none. */
export type Resolve = (name: string) => unknown

/** A text with variables, parsed once (contract §4.5: `$name`, `${name}`, `${name ?? default}`, `\$`). */
export interface Template {
  /** The text with every variable replaced; one without a value becomes empty. */
  render(resolve: Resolve): string
  /** Whether the text has any variable at all. */
  readonly hasVariables: boolean
  /** Whether at least one variable has a value now. */
  isResolvable(resolve: Resolve): boolean
}

interface Variable {
  readonly name: string
  readonly fallback: string
}

type Part = string | Variable

/** A backslash keeps the `$` behind it and stays itself; then the two forms of a variable. */
const TOKEN = /\\\$|\$\{\s*([A-Za-z0-9_.]+)\s*(?:\?\?\s*([^}]*?)\s*)?\}|\$([A-Za-z_][A-Za-z0-9_]*)/g

export function compileTemplate(text: string): Template {
  const parts = parse(text)
  const variables = parts.filter((part): part is Variable => typeof part !== 'string')
  return {
    hasVariables: variables.length > 0,
    render: variables.length === 0 ? () => text : (resolve) => render(parts, resolve),
    isResolvable: (resolve) => variables.some((variable) => textOf(resolve(variable.name)) !== ''),
  }
}

function parse(text: string): Part[] {
  const parts: Part[] = []
  let end = 0
  for (const match of text.matchAll(TOKEN)) {
    if (match[0] === '\\$') continue
    if (match.index > end) parts.push(text.slice(end, match.index))
    parts.push({ name: match[1] ?? match[3]!, fallback: match[2] ?? '' })
    end = match.index + match[0].length
  }
  if (end < text.length) parts.push(text.slice(end))
  return parts
}

function render(parts: readonly Part[], resolve: Resolve): string {
  let out = ''
  for (const part of parts) {
    out += typeof part === 'string' ? part : textOf(resolve(part.name)) || part.fallback
  }
  return out
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? '' : String(value)
}
