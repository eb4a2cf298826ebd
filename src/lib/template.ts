/** Gives the value of a variable by name, `undefined` when it has none. */
export interface VariableSource {
  var(name: string): unknown
}

/** A piece of a template: literal text, or a variable with what stands for it when it has no value. */
export type TemplatePart = string | TemplateVariable

export interface TemplateVariable {
  readonly name: string
  /** The text after `??`. */
  readonly fallback: string | undefined
}

/** A compiled string of a plugin's configuration (contract §4.5). Rendering never throws. */
export interface Template {
  /** Whether there is nothing to fill in. */
  readonly isConstant: boolean
  /** The text with every variable filled in; one without a value is the empty string. */
  render(source: VariableSource): string
  /** As {@link render}, but `undefined` when no variable had a value or a fallback, also when there is no variable at all. */
  renderResolved(source: VariableSource): string | undefined
}

const VARIABLE = /\\\$|\$(?:\{([^{}]+)\}|(\d+|[A-Za-z_]\w*))/g

/**
 * Compiles `$name`, `${name}` and `${name ?? default}`; `\$` is kept as it is written and a `$` without a name is text.
 * `encode` is applied to what variables give, not to the template's own text.
 */
export function compileTemplate(text: string, encode?: (value: string) => string): Template {
  const parts = parseTemplate(text)
  const [only = ''] = parts
  if (parts.every((part) => typeof part === 'string')) return constant(parts.join(''))
  if (parts.length === 1 && typeof only === 'object') return single(only, encode)
  return {
    isConstant: false,
    render(source) {
      let result = ''
      for (const part of parts) {
        result += typeof part === 'string' ? part : (valueFor(part, source, encode) ?? '')
      }
      return result
    },
    renderResolved(source) {
      let result = ''
      let isResolved = false
      for (const part of parts) {
        const value = typeof part === 'string' ? part : valueFor(part, source, encode)
        if (value === undefined) continue
        isResolved ||= typeof part === 'object'
        result += value
      }
      return isResolved ? result : undefined
    },
  }
}

/** The pieces of a template in order, for callers that fill them in by rules of their own. */
export function parseTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = []
  let literal = ''
  let end = 0
  for (const match of text.matchAll(VARIABLE)) {
    literal += text.slice(end, match.index)
    end = match.index + match[0].length
    const variable = variableOf(match[1] ?? match[2])
    if (!variable) {
      literal += match[0]
      continue
    }
    if (literal !== '') parts.push(literal)
    literal = ''
    parts.push(variable)
  }
  literal += text.slice(end)
  if (literal !== '') parts.push(literal)
  return parts
}

/** A variable's value as text; structured values become JSON. `undefined` when it has none. */
export function variableText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (value === undefined || value === null) return undefined
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function variableOf(inner: string | undefined): TemplateVariable | undefined {
  if (inner === undefined) return undefined
  const mark = inner.indexOf('??')
  const name = (mark === -1 ? inner : inner.slice(0, mark)).trim()
  if (name === '') return undefined
  return { name, fallback: mark === -1 ? undefined : inner.slice(mark + 2).trim() }
}

function valueFor(
  { name, fallback }: TemplateVariable,
  source: VariableSource,
  encode: ((value: string) => string) | undefined,
): string | undefined {
  const value = variableText(source.var(name)) ?? fallback
  return value !== undefined && encode ? encode(value) : value
}

function constant(text: string): Template {
  return { isConstant: true, render: () => text, renderResolved: () => undefined }
}

function single(variable: TemplateVariable, encode: ((value: string) => string) | undefined): Template {
  return {
    isConstant: false,
    render: (source) => valueFor(variable, source, encode) ?? '',
    renderResolved: (source) => valueFor(variable, source, encode),
  }
}
