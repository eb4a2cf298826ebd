import type { Steps } from './chain.ts'
import { BodyGoneError, BodyTooLargeError } from './context/client-body.ts'
import type { Context } from './context/context.ts'
import { requestSlot } from './context/slot.ts'
import type { BodyFilter, BodyStream, PhaseResult, PluginInstance, Reply } from './definition.ts'
import type { Instance } from './instance.ts'

type RequestPhaseName = 'rewrite' | 'access' | 'beforeProxy'

/** A phase of a plugin that threw. */
export interface PhaseFailure {
  readonly instance: Instance
  readonly phase: keyof PluginInstance
  readonly error: unknown
}

/** Told of every phase that threw, once per throw; logs and counts it. Must not throw. */
export type FailureReport = (failure: PhaseFailure, context: Context) => void

/** `_meta.filter` is evaluated once per request and instance (contract §6). */
const filterVerdicts = requestSlot<Map<Instance, boolean>>('_meta.filter')

const FAILED: Reply = Object.freeze({ status: 500 })
const TOO_LARGE: Reply = Object.freeze({ status: 413 })

/**
 * Walks one request phase until a plugin answers. Stays synchronous as long as the plugins do; a throw becomes a 500 with a
 * bland body.
 */
export function runRequestPhase(
  steps: Steps,
  phase: RequestPhaseName,
  walk: { readonly context: Context; readonly report: FailureReport },
): Reply | undefined | Promise<Reply | undefined> {
  for (let i = 0; i < steps.length; i++) {
    const result = runStep(steps[i]!, phase, walk)
    if (result === undefined) continue
    if (!(result instanceof Promise)) return result
    return continueAfter(result, steps.slice(i + 1), { phase, walk })
  }
  return undefined
}

async function continueAfter(
  pending: Promise<Reply | undefined>,
  rest: Steps,
  { phase, walk }: { phase: RequestPhaseName; walk: { context: Context; report: FailureReport } },
): Promise<Reply | undefined> {
  return (await pending) ?? runRequestPhase(rest, phase, walk)
}

function runStep(
  step: Instance,
  phase: RequestPhaseName,
  { context, report }: { readonly context: Context; readonly report: FailureReport },
): Reply | undefined | Promise<Reply | undefined> {
  if (!mayRun(step, context)) return undefined
  try {
    step.meta.preFunction?.(step.config, context)
    const result = step.phases[phase]!(context)
    if (result === undefined) return undefined
    if (!(result instanceof Promise)) return dressed(step, result)
    return result.then(
      (reply) => dressed(step, reply),
      (error) => failed(step, phase, { error, context, report }),
    )
  } catch (error) {
    return failed(step, phase, { error, context, report })
  }
}

function failed(
  step: Instance,
  phase: RequestPhaseName,
  { error, context, report }: { error: unknown; context: Context; report: FailureReport },
): Reply {
  if (error instanceof BodyTooLargeError) return TOO_LARGE
  // Nobody is there any more: the reply is dropped.
  if (!(error instanceof BodyGoneError)) report({ instance: step, phase, error }, context)
  return FAILED
}

/** `_meta.error_response` replaces the body of an answer of 400 and above; status and headers stay (contract §6). */
function dressed(step: Instance, reply: PhaseResult): Reply | undefined {
  if (!reply) return undefined
  const { errorResponse } = step.meta
  return errorResponse !== undefined && reply.status >= 400 ? { ...reply, body: errorResponse } : reply
}

/** Runs the header filters; a throw is reported and the others still run. */
export function runHeaderFilters(steps: Steps, context: Context, report: FailureReport): void {
  for (const step of steps) runSafely(step, 'headerFilter', { context, report })
}

/** Asks each instance for a body filter; those that want none cost nothing. */
export function collectBodyFilters(
  steps: Steps,
  context: Context,
  report: FailureReport,
): (BodyFilter | BodyStream)[] {
  const filters: (BodyFilter | BodyStream)[] = []
  for (const step of steps) {
    const filter = runSafely(step, 'bodyFilter', { context, report }) as BodyFilter | BodyStream | undefined
    if (!filter) continue
    if ('stream' in filter) {
      filter.stream.on('error', (error) => report({ instance: step, phase: 'bodyFilter', error }, context))
    }
    filters.push(filter)
  }
  return filters
}

export function runLog(steps: Steps, context: Context, report: FailureReport): void {
  for (const step of steps) runSafely(step, 'log', { context, report })
}

function runSafely(
  step: Instance,
  phase: 'headerFilter' | 'bodyFilter' | 'log',
  { context, report }: { readonly context: Context; readonly report: FailureReport },
): unknown {
  if (!mayRun(step, context)) return undefined
  try {
    step.meta.preFunction?.(step.config, context)
    return step.phases[phase]!(context)
  } catch (error) {
    report({ instance: step, phase, error }, context)
    return undefined
  }
}

function mayRun(step: Instance, context: Context): boolean {
  const { filter } = step.meta
  if (!filter) return true
  let verdicts = context.get(filterVerdicts)
  if (!verdicts) {
    verdicts = new Map()
    context.set(filterVerdicts, verdicts)
  }
  let verdict = verdicts.get(step)
  if (verdict === undefined) {
    verdict = filter.test(context)
    verdicts.set(step, verdict)
  }
  return verdict
}
