import type { TraceParent } from '../_shared/trace/traceparent.ts'
import type { OpentelemetryConfig } from './schema.ts'

/** Whether a trace is sampled, by its id and by what the request says of it. */
export type Sampler = (traceId: string, parent: TraceParent | undefined) => boolean

interface Choice {
  readonly name: string
  readonly options: { readonly fraction: number; readonly root?: Choice }
}

export function compileSampler(config: OpentelemetryConfig['sampler']): Sampler {
  return samplerOf(config as Choice)
}

function samplerOf({ name, options }: Choice): Sampler {
  if (name === 'always_on') return () => true
  if (name === 'trace_id_ratio') return byTraceId(options.fraction)
  if (name !== 'parent_base') return () => false
  const root = samplerOf(options.root!)
  return (traceId, parent) => (parent ? parent.isSampled : root(traceId, parent))
}

/**
 * The same answer for the same trace, whoever asks: the random part of the id is compared with the fraction. These digits are the
 * ones that other implementations look at first.
 */
function byTraceId(fraction: number): Sampler {
  const bound = fraction * 2 ** 32
  return (traceId) => Number.parseInt(traceId.slice(16, 24), 16) < bound
}
