import type { VariableSource } from '../expr/expr.ts'
import { compileUserFunction } from '../expr/user-function.ts'
import { ConfigError } from '../plugin/definition.ts'

const FORM = "function(vars) { return vars.arg_name === 'json' }"

type Filter = (vars: object) => unknown

/**
 * Compiles a route's `filter_func`: a JavaScript function whose argument has the request variables as properties (decisions 14).
 * What it returns is taken as true or false; what it throws passes through. Throws {@link ConfigError} with the text of contract
 * §1.6 when the source is no such function. The result is synchronous and not re-entrant.
 */
export function compileFilterFunction(source: string): (vars: VariableSource) => boolean {
  const filter = load(source)
  let current: VariableSource | undefined
  // One view for all requests, so that a call allocates nothing; between calls it shows no one's variables.
  const view = makeView(() => current)
  return (vars) => {
    current = vars
    try {
      return Boolean(filter(view))
    } finally {
      current = undefined
    }
  }
}

function load(source: string): Filter {
  try {
    const compiled = compileUserFunction(source, FORM)
    const kind = Object.prototype.toString.call(compiled)
    if (kind !== '[object Function]') {
      throw new Error(
        `it has to answer at once, so it can be neither async nor a generator; write for example: ${FORM}`,
      )
    }
    return compiled as unknown as Filter
  } catch (error) {
    throw new ConfigError(`failed to load 'filter_func' string: ${(error as Error).message}`)
  }
}

function makeView(source: () => VariableSource | undefined): object {
  return new Proxy(Object.freeze(Object.create(null)), {
    get: (_target, name) => (typeof name === 'string' ? source()?.var(name) : undefined),
    has: (_target, name) => typeof name === 'string' && source()?.var(name) !== undefined,
    set: () => false,
    defineProperty: () => false,
  })
}
