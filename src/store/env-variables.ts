/** Variables of the process, or what a test gives in their place. */
export type Environment = Readonly<Record<string, string | undefined>>

const VARIABLE = /\$\{\{\s*(\w+)\s*(?::=(.*?))?\}\}/g
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/**
 * The text with `${{VAR}}` and `${{VAR:=default}}` replaced (contract §2.3). A variable set to nothing counts as set. Throws an Error
 * that names a variable which is not set and has no default.
 */
export function replaceVariables(text: string, env: Environment): string {
  return text.replace(VARIABLE, (_match, name: string, fallback: string | undefined) => {
    const value = (Object.hasOwn(env, name) ? env[name] : undefined) ?? fallback?.trim()
    if (value === undefined) {
      throw new Error(
        `the environment variable ${name} is not set and has no default; set it or write \${{${name}:=…}}`,
      )
    }
    return value
  })
}

/** The same for every text in a parsed document, keys included; a replaced value becomes the number or truth value it looks like. */
export function replaceVariablesIn(document: unknown, env: Environment): unknown {
  if (typeof document === 'string') {
    const replaced = replaceVariables(document, env)
    return replaced === document ? document : convert(replaced)
  }
  if (Array.isArray(document)) return document.map((element) => replaceVariablesIn(element, env))
  if (typeof document !== 'object' || document === null) return document
  return Object.fromEntries(
    Object.entries(document).map(([key, value]) => [
      replaceVariables(key, env),
      replaceVariablesIn(value, env),
    ]),
  )
}

function convert(text: string): string | number | boolean {
  if (text === 'true') return true
  if (text === 'false') return false
  return NUMBER.test(text) && Number.isFinite(Number(text)) ? Number(text) : text
}
