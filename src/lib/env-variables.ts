/** Variables of the process, or what a test gives in their place. */
export type Environment = Readonly<Record<string, string | undefined>>

const VARIABLE = /\$\{\{\s*(\w+)\s*(?::=(.*?))?\}\}/g
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/**
 * Replaces `${{VAR}}` and `${{VAR:=default}}` (contract §9). Returns undefined when there is none of them in `text`. A variable that
 * is set to nothing counts as set. Throws an Error with APISIX's text when a variable without default is not set.
 */
export function substitute(text: string, env: Environment): string | undefined {
  if (!text.includes('${{')) return undefined
  let count = 0
  const result = text.replace(VARIABLE, (_match, name: string, fallback: string | undefined) => {
    count++
    const value = (Object.hasOwn(env, name) ? env[name] : undefined) ?? fallback?.trim()
    if (value === undefined) {
      throw new Error(`failed to handle configuration: can't find environment variable ${name}`)
    }
    return value
  })
  return count > 0 ? result : undefined
}

/** The same for every text in a parsed document, keys included; a replaced value becomes the number or truth value it looks like. */
export function substituteIn(document: unknown, env: Environment): unknown {
  if (typeof document === 'string') {
    const replaced = substitute(document, env)
    return replaced === undefined ? document : convert(replaced)
  }
  if (Array.isArray(document)) return document.map((element) => substituteIn(element, env))
  if (typeof document !== 'object' || document === null) return document
  return Object.fromEntries(
    Object.entries(document).map(([key, value]) => [substitute(key, env) ?? key, substituteIn(value, env)]),
  )
}

/** A substituted text becomes the number or truth value that it looks like (contract §9). */
export function convert(text: string): string | number | boolean {
  if (text === 'true') return true
  if (text === 'false') return false
  return NUMBER.test(text) && Number.isFinite(Number(text)) ? Number(text) : text
}
