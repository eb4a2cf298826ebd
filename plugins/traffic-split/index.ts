import {
  type CheckTools,
  ConfigError,
  compileExpression,
  definePlugin,
  type InstanceHost,
  type PhaseResult,
  type Reply,
  type RequestContext,
} from '../../src/plugin/api.ts'
import { type SplitRule, schema, type TrafficSplitConfig, type WeightedUpstream } from './schema.ts'
import { weightedChoice } from './weighted-choice.ts'

const MISSING: Reply = { status: 503 }

type Send = (context: RequestContext) => PhaseResult
type Condition = (context: RequestContext) => boolean

interface CompiledRule {
  readonly matches: Condition
  /** Absent when no upstream of the rule has a share. */
  readonly choose: (() => Send) | undefined
}

/** Sends shares of the requests to other upstreams than the route's (contract §7.3). */
export default definePlugin<TrafficSplitConfig>({
  name: 'traffic-split',
  priority: 966,
  phases: ['access'],
  schema,
  hiddenFields: ['rules.weighted_upstreams.upstream.tls.client_key'],
  check({ rules = [] }, tools) {
    rules.forEach((rule, index) => {
      compileMatch(rule)
      checkUpstreams(rule, index, tools)
    })
  },
  compile({ rules = [] }, host) {
    const compiled: CompiledRule[] = rules.map((rule) => ({
      matches: compileMatch(rule),
      choose: weightedChoice(
        rule.weighted_upstreams.map((entry) => ({
          target: compileTarget(entry, host),
          weight: entry.weight,
        })),
      ),
    }))
    if (compiled.length === 0) return {}
    return { access: (context) => compiled.find(({ matches }) => matches(context))?.choose?.()(context) }
  },
})

/** Throws with the contract's text for an expression that cannot be read. */
function compileMatch({ match }: SplitRule): Condition {
  if (!match || match.length === 0) return () => true
  const conditions = match.map(({ vars }) => (vars ? compileVars(vars) : undefined))
  return (context) => conditions.some((condition) => condition?.test(context) ?? true)
}

function compileVars(vars: readonly unknown[]) {
  try {
    return compileExpression(vars)
  } catch (error) {
    throw new ConfigError(`failed to validate the 'vars' expression: ${(error as Error).message}`)
  }
}

/** In the words in which a schema would say it. */
function checkUpstreams({ weighted_upstreams: all }: SplitRule, index: number, tools: CheckTools): void {
  for (const [at, { upstream_id: id, upstream }] of all.entries()) {
    const problem = upstream && id === undefined ? tools.checkUpstream(upstream) : undefined
    if (problem === undefined) continue
    const path = `property "rules" validation failed: ${item(index)}property "weighted_upstreams" validation failed: ${item(at)}`
    throw new ConfigError(`${path}property "upstream" validation failed: ${problem}`)
  }
}

function item(index: number): string {
  return `failed to validate item ${index + 1}: `
}

function compileTarget({ upstream_id: id, upstream }: WeightedUpstream, host: InstanceHost): Send {
  if (id !== undefined) return sendById(String(id), host)
  if (!upstream) return toOwnOfRoute
  const handle = host.upstream({ document: upstream })
  return (context) => context.useUpstream(handle)
}

/** It may come and go: only a request can tell. */
function sendById(id: string, host: InstanceHost): Send {
  const handle = host.upstream({ id })
  const missed = host.metrics
    .counter({
      name: 'gatewright_traffic_split_missing_total',
      help: 'Requests answered 503 because traffic-split names an upstream that is not there.',
      labels: ['upstream_id'],
    })
    .labels(id)
  return (context) => {
    if (handle.isKnown()) {
      context.useUpstream(handle)
      return undefined
    }
    missed.inc()
    host.logger.error(
      { route: context.route?.id, upstream_id: id },
      'the upstream that traffic-split names is not there',
    )
    return MISSING
  }
}

function toOwnOfRoute(): undefined {
  return undefined
}
