import type { Context } from './context/context.ts'
import type { PluginInstance, Reply } from './definition.ts'
import type { Instance } from './instance.ts'

/** What one plugin did in one phase. */
export interface TraceStep {
  readonly plugin: string
  readonly phase: keyof PluginInstance
  /** The resource that carries the configuration: `routes/1`. */
  readonly owner: string
  /** From the start of the request, in ms. */
  readonly atMs: number
  readonly tookUs: number
  /** `answered 401`, `threw`, `request header x-user`, … in a fixed order; names, never values. */
  readonly effects: readonly string[]
}

/** What can be seen of a request before a step, to tell afterwards what the step has changed. */
export interface TraceMark {
  readonly startedMs: number
  readonly sent: readonly string[]
  readonly received: readonly string[] | undefined
  readonly facts: readonly unknown[]
}

/** A step that changed more than this is told of the rest by number. */
const MAX_EFFECTS = 20
/** Retries run phases again; what comes after this many steps is left out. */
const MAX_STEPS = 200

/** The steps of one request, in the order they ended. Made only for requests that somebody wants to look at. */
export class Trace {
  readonly steps: TraceStep[] = []
  /** `key-auth#rewrite` once a plugin has answered the request. */
  answeredBy: string | undefined = undefined

  begin(context: Context): TraceMark {
    return {
      startedMs: performance.now(),
      sent: [...context.headers.raw()],
      received: context.hasResponse ? [...context.response.headers.raw()] : undefined,
      facts: factsOf(context).map(([, value]) => value),
    }
  }

  /** `reply` is what the step answered, if anything; `outcome` a word for what else became of it. */
  end(
    mark: TraceMark,
    { instance, phase, context }: { instance: Instance; phase: keyof PluginInstance; context: Context },
    { reply, outcome }: { reply?: Reply | undefined; outcome?: string | undefined },
  ): void {
    const { name } = instance.plugin
    if (reply) this.answeredBy = `${name}#${snakeCase(phase)}`
    if (this.steps.length >= MAX_STEPS) return
    const effects = [
      ...(reply ? [`answered ${reply.status}`] : []),
      ...(outcome === undefined ? [] : [outcome]),
      ...changesSince(mark, context),
    ]
    this.steps.push({
      plugin: name,
      phase,
      owner: `${instance.owner.kind}/${instance.owner.id}`,
      atMs: mark.startedMs - context.stats.startedAt,
      tookUs: Math.round((performance.now() - mark.startedMs) * 1000),
      effects:
        effects.length <= MAX_EFFECTS
          ? effects
          : [...effects.slice(0, MAX_EFFECTS), `and ${effects.length - MAX_EFFECTS} more`],
    })
  }

  /** APISIX's `Apisix-Plugins`: every phase that ran so far. */
  pluginsHeader(): string {
    const ran = this.steps.map(({ plugin, phase }) => `${plugin}#${snakeCase(phase)}`)
    return ran.length === 0 ? 'no plugin' : ran.join(', ')
  }
}

/** The name of a phase as APISIX writes it. */
export function snakeCase(phase: string): string {
  return phase.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function factsOf(context: Context): readonly (readonly [what: string, value: unknown])[] {
  const { upstream } = context
  return [
    ['method', upstream.method],
    ['target', upstream.target],
    ['host', upstream.host],
    ['body', context.newBody],
    ['consumer', context.consumer],
    ['upstream', context.chosenUpstream],
    ['client address', context.remoteAddr],
    ['status', context.hasResponse ? context.response.status : undefined],
  ]
}

function changesSince({ sent, received, facts }: TraceMark, context: Context): string[] {
  const changed = factsOf(context).flatMap(([what, value], index) => (facts[index] === value ? [] : [what]))
  const response = received && context.hasResponse ? context.response.headers.raw() : []
  return [
    ...changed,
    ...differing(sent, context.headers.raw()).map((name) => `request header ${name}`),
    ...differing(received ?? [], response).map((name) => `response header ${name}`),
  ]
}

/** Names of the headers that were added, removed or changed. */
function differing(before: readonly string[], after: readonly string[]): string[] {
  const old = byName(before)
  const now = byName(after)
  const names = new Set([...old.keys(), ...now.keys()])
  return [...names].filter((name) => old.get(name) !== now.get(name))
}

function byName(flat: readonly string[]): Map<string, string> {
  const values = new Map<string, string>()
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!.toLowerCase()
    const known = values.get(name)
    values.set(name, known === undefined ? flat[i + 1]! : `${known}\n${flat[i + 1]}`)
  }
  return values
}
