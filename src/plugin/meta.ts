import { compileExpression } from '../expr/compile.ts'
import type { Expression } from '../expr/expr.ts'
import { compileUserFunction } from '../expr/user-function.ts'
import type { RequestContext } from './context/request-context.ts'

/** The `_meta` key of any plugin configuration (contract §3.6, §6); it belongs to the runtime, plugins never see it. */
export interface PluginMeta {
  readonly disable?: boolean
  readonly error_response?: string | Record<string, unknown>
  readonly priority?: number
  readonly filter?: unknown[]
  readonly pre_function?: string
}

export const META_SCHEMA = {
  type: 'object',
  default: {},
  properties: {
    disable: { type: 'boolean' },
    error_response: { anyOf: [{ type: 'string' }, { type: 'object' }] },
    priority: { type: 'integer' },
    filter: { type: 'array' },
    pre_function: { type: 'string' },
  },
  additionalProperties: false,
} as const

/** `_meta` ready to be used by the phase runner. */
export interface CompiledMeta {
  readonly filter: Expression | undefined
  readonly errorResponse: string | Readonly<Record<string, unknown>> | undefined
  readonly preFunction: ((config: unknown, context: RequestContext) => void) | undefined
}

const PRE_FUNCTION_FORM = 'function (conf, ctx) { ctx.headers.set("X-Seen", "1") }'

/** Throws with the text of contract §1.7 when the filter or the function cannot be compiled. */
export function compileMeta(plugin: string, meta: PluginMeta): CompiledMeta {
  return {
    filter: meta.filter === undefined ? undefined : compileFilter(meta.filter),
    errorResponse: meta.error_response,
    preFunction: meta.pre_function === undefined ? undefined : compilePreFunction(plugin, meta.pre_function),
  }
}

function compileFilter(filter: unknown[]): Expression {
  try {
    return compileExpression(filter)
  } catch (error) {
    throw new Error(`failed to validate the 'vars' expression: ${(error as Error).message}`)
  }
}

function compilePreFunction(plugin: string, source: string): CompiledMeta['preFunction'] {
  try {
    return compileUserFunction(source, PRE_FUNCTION_FORM) as CompiledMeta['preFunction']
  } catch (error) {
    throw new Error(`failed to load _meta.pre_function in plugin ${plugin}: ${(error as Error).message}`)
  }
}
