import { compileUserFunction, type UserFunction } from '../../../src/lib/user-function.ts'
import { ConfigError } from '../../../src/plugin/api.ts'
import type { Phase, ServerlessConfig } from './schema.ts'

/** A compiled function and what it is called in messages. */
export interface Named {
  readonly call: UserFunction
  readonly place: string
}

/** The phases that do not wait. */
const IMMEDIATE: ReadonlySet<Phase> = new Set(['header_filter', 'body_filter', 'log'])
const FORM = "function (conf, ctx) { if (!ctx.headers.has('x-token')) return [401, 'no token'] }"
const BODY_FORM = 'function (conf, ctx, chunk, isLast) { return chunk.toString().toUpperCase() }'

/** Compiles the functions of a configuration. Throws {@link ConfigError} with the contract's text for what is no function. */
export function compileFunctions({ functions, phase }: ServerlessConfig): Named[] {
  const form = phase === 'body_filter' ? BODY_FORM : FORM
  return functions.map((source, index) => {
    const call = compileOne(source, form)
    const kind = Object.prototype.toString.call(call)
    if (kind.includes('Generator') || (kind === '[object AsyncFunction]' && IMMEDIATE.has(phase))) {
      throw new ConfigError(
        `functions[${index}] has to be done when it returns in phase ${phase}, so it can be neither async nor a generator`,
      )
    }
    return { call, place: `functions[${index}]` }
  })
}

function compileOne(source: string, form: string): UserFunction {
  try {
    return compileUserFunction(source, form)
  } catch (error) {
    throw new ConfigError(`failed to loadstring: ${(error as Error).message}`)
  }
}
