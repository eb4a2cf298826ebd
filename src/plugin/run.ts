import { bodyTaps, type OwnedTap } from './body-taps.ts'
import type { Chain, Steps } from './chain.ts'
import { BodyGoneError, BodyTooLargeError } from './context/client-body.ts'
import type { Context } from './context/context.ts'
import { requestSlot } from './context/slot.ts'
import type { BodyFilter, BodyStream, BodyTap, PhaseResult, PluginInstance, Reply } from './definition.ts'
import type { Instance } from './instance.ts'
import { withinPhaseLimit } from './phase-limit.ts'

type RequestPhaseName = 'rewrite' | 'access' | 'beforeProxy'

/** A phase of a plugin that threw. */
export interface PhaseFailure {
  readonly instance: Instance
  readonly phase: keyof PluginInstance
  readonly error: unknown
}

/** Told of every phase that threw, once per throw; logs and counts it. Must not throw. */
export type FailureReport = (failure: PhaseFailure, context: Context) => void

/** One request on its way through the phases. */
export interface PhaseWalk {
  readonly context: Context
  readonly report: FailureReport
  /** Longest time that one step may take to settle; absent for any. */
  readonly phaseTimeoutMs?: number
  /** The last step that threw. */
  failed?: Instance | undefined
}

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
  walk: PhaseWalk,
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
  { phase, walk }: { phase: RequestPhaseName; walk: PhaseWalk },
): Promise<Reply | undefined> {
  return (await pending) ?? runRequestPhase(rest, phase, walk)
}

function runStep(
  step: Instance,
  phase: RequestPhaseName,
  walk: PhaseWalk,
): Reply | undefined | Promise<Reply | undefined> {
  const { context } = walk
  if (!mayRun(step, context)) return undefined
  const { trace } = context
  if (trace === undefined) return callPhase(step, phase, walk)
  const mark = trace.begin(context)
  const end = (reply: Reply | undefined) => {
    const outcome = walk.failed === step ? 'threw' : undefined
    trace.end(mark, { instance: step, phase, context }, { reply, outcome })
    return reply
  }
  const result = callPhase(step, phase, walk)
  return result instanceof Promise ? result.then(end) : end(result)
}

function callPhase(
  step: Instance,
  phase: RequestPhaseName,
  walk: PhaseWalk,
): Reply | undefined | Promise<Reply | undefined> {
  const { context, phaseTimeoutMs } = walk
  try {
    step.meta.preFunction?.(step.config, context)
    const result = step.phases[phase]!(context)
    if (result === undefined) return undefined
    if (!(result instanceof Promise)) return dressed(step, result)
    const limited = phaseTimeoutMs === undefined ? result : withinPhaseLimit(result, phaseTimeoutMs, context)
    return limited.then(
      (reply) => dressed(step, reply),
      (error) => failed(step, phase, { error, walk }),
    )
  } catch (error) {
    return failed(step, phase, { error, walk })
  }
}

function failed(
  step: Instance,
  phase: RequestPhaseName,
  { error, walk }: { error: unknown; walk: PhaseWalk },
): Reply {
  if (error instanceof BodyTooLargeError) return TOO_LARGE
  walk.failed = step
  // Nobody is there any more: the reply is dropped.
  if (!(error instanceof BodyGoneError)) walk.report({ instance: step, phase, error }, walk.context)
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

/**
 * Asks each instance for a body filter, in the order in which the body goes through them: chain by chain, and what packs it behind all
 * that changes it. Instances that want none cost nothing.
 */
export function collectBodyFilters(
  chains: readonly Chain[],
  context: Context,
  report: FailureReport,
): (BodyFilter | BodyStream)[] {
  const filters: (BodyFilter | BodyStream)[] = []
  for (const phase of BODY_PHASES) {
    for (const chain of chains) {
      for (const step of chain[phase]) addFilter(filters, step, { phase, context, report })
    }
  }
  return filters
}

const BODY_PHASES = ['bodyFilter', 'packBody'] as const

function addFilter(
  filters: (BodyFilter | BodyStream)[],
  step: Instance,
  { phase, context, report }: { phase: 'bodyFilter' | 'packBody'; context: Context; report: FailureReport },
): void {
  const filter = runSafely(step, phase, { context, report }) as BodyFilter | BodyStream | undefined
  if (!filter) return
  if ('stream' in filter) {
    filter.stream.on('error', (error) => report({ instance: step, phase, error }, context))
  }
  if ('seesReceived' in filter && filter.seesReceived) filters.unshift(filter)
  else filters.push(filter)
}

/**
 * Shows the body that will be sent, if there is one, to the instances that want to see it. What they do about it never throws: a throw
 * ends that tap and is reported.
 */
export function tapBody(chains: readonly Chain[], context: Context, report: FailureReport): void {
  if (!context.hasBody) return
  const owned = chains.flatMap((chain) =>
    chain.tapBody.flatMap((step) => ownTap(step, context, report) ?? []),
  )
  if (owned.length > 0) context.showBody(bodyTaps(owned))
}

function ownTap(step: Instance, context: Context, report: FailureReport): OwnedTap | undefined {
  const phase = 'tapBody'
  const tap = runSafely(step, phase, { context, report }) as BodyTap | undefined
  return tap && { tap, fail: (error) => report({ instance: step, phase, error }, context) }
}

export function runLog(steps: Steps, context: Context, report: FailureReport): void {
  for (const step of steps) runSafely(step, 'log', { context, report })
}

function runSafely(
  step: Instance,
  phase: 'tapBody' | 'headerFilter' | 'bodyFilter' | 'packBody' | 'log',
  { context, report }: { readonly context: Context; readonly report: FailureReport },
): unknown {
  if (!mayRun(step, context)) return undefined
  const mark = context.trace?.begin(context)
  let outcome: string | undefined
  try {
    step.meta.preFunction?.(step.config, context)
    return step.phases[phase]!(context)
  } catch (error) {
    outcome = 'threw'
    report({ instance: step, phase, error }, context)
    return undefined
  } finally {
    if (mark) context.trace?.end(mark, { instance: step, phase, context }, { outcome })
  }
}

function mayRun(step: Instance, context: Context): boolean {
  if (context.skippedPlugins?.includes(step.plugin.name)) return false
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
