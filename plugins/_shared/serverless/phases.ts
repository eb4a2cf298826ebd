import type {
  BodyFilter,
  PhaseResult,
  PluginInstance,
  Reply,
  RequestContext,
} from '../../../src/plugin/api.ts'
import { compileFunctions, type Named } from './functions.ts'
import { toReply } from './reply.ts'
import type { Phase, ServerlessConfig } from './schema.ts'

interface Work {
  readonly functions: readonly Named[]
  readonly config: ServerlessConfig
}

const EMPTY = Buffer.alloc(0)

const PHASES: Readonly<Record<Phase, (work: Work) => PluginInstance>> = {
  rewrite: (work) => ({ rewrite: (context) => answerFrom(work, context) }),
  access: (work) => ({ access: (context) => answerFrom(work, context) }),
  before_proxy: (work) => ({ beforeProxy: (context) => answerFrom(work, context) }),
  header_filter: (work) => ({ headerFilter: (context) => callAll(work, context) }),
  body_filter: (work) => ({
    bodyFilter: (context) => bodyFilter(work, context),
  }),
  log: (work) => ({ log: (context) => callAll(work, context) }),
}

/** The instance of a serverless plugin. Throws ConfigError for what is no function. */
export function compilePhases(config: ServerlessConfig): PluginInstance {
  return PHASES[config.phase]({ functions: compileFunctions(config), config })
}

/** Calls one function after the other until one answers; waits only for those that return a promise. */
function answerFrom(work: Work, context: RequestContext, first = 0): PhaseResult | Promise<PhaseResult> {
  const { functions, config } = work
  for (let i = first; i < functions.length; i++) {
    const { call, place } = functions[i]!
    const returned: unknown = call(config, context)
    if (isThenable(returned)) {
      return Promise.resolve(returned).then(
        (value) => toReply(value, place) ?? answerFrom(work, context, i + 1),
      )
    }
    const reply: Reply | undefined = toReply(returned, place)
    if (reply) return reply
  }
  return undefined
}

function callAll({ functions, config }: Work, context: RequestContext): void {
  for (const { call } of functions) call(config, context)
}

/** Each function gets what the one before it made of a part of the body; the last call has no bytes but says so. */
function bodyFilter({ functions, config }: Work, context: RequestContext): BodyFilter {
  const pass = (chunk: Uint8Array, isLast: boolean) => {
    let bytes: Uint8Array = chunk
    for (const { call, place } of functions) {
      const returned: unknown = call(
        config,
        context,
        Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
        isLast,
      )
      bytes = toBytes(returned, place) ?? bytes
    }
    return bytes.length === 0 ? undefined : bytes
  }
  return {
    write: (chunk) => pass(chunk, false),
    end: () => pass(EMPTY, true),
  }
}

function toBytes(returned: unknown, place: string): Uint8Array | undefined {
  if (returned === undefined || returned === null) return undefined
  if (typeof returned === 'string') return Buffer.from(returned)
  if (returned instanceof Uint8Array) return returned
  throw new TypeError(
    `${place} returned a value of type ${typeof returned}; return a string, bytes, or nothing to keep the part`,
  )
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  )
}
