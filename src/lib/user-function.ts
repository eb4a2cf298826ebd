const LUA_MARKS = /\blocal\s|\bthen\b|\bend\s*$|\bngx\.|\bnil\b|\.\.\s|~=/
const JAVASCRIPT_FUNCTION = /^\s*(?:async\s+)?(?:function\b|\(|[A-Za-z_$][\w$]*\s*=>)/

/** A function that a user wrote in the configuration; trusted as the configuration is. */
// biome-ignore lint/complexity/noBannedTypes: the signature is the user's; callers narrow it where they call it
export type UserFunction = Function

/**
 * Compiles the source of one JavaScript function (`function (vars) { … }` or an arrow function). `form` is the example shown
 * when the source is Lua (decisions.md 14). Throws an Error whose message is for the person who wrote the source.
 */
export function compileUserFunction(source: string, form: string): UserFunction {
  const compiled = tryCompile(source)
  if (typeof compiled === 'function') return compiled
  if (LUA_MARKS.test(source)) {
    throw new Error(
      `Lua source is not run here; write it in JavaScript under the same key, for example: ${form}`,
    )
  }
  if (compiled instanceof Error) throw new Error(compiled.message)
  throw new Error(`not a function; write for example: ${form}`)
}

function tryCompile(source: string): unknown {
  if (!JAVASCRIPT_FUNCTION.test(source)) return undefined
  try {
    return new Function(`"use strict"; return (${source}\n)`)()
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
