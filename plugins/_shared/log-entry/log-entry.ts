import {
  ConfigError,
  compileExpression,
  type InstanceHost,
  type RequestContext,
  type VariableSource,
} from '../../../src/plugin/api.ts'
import { type BodyCapture, compileBodies } from './bodies.ts'
import { defaultEntry } from './default-entry.ts'
import { compileFormat, type LogEntry, type LogFormat, setField } from './format.ts'
import type { LogConfig } from './schema.ts'

/** What a logger's configuration says of its entries, compiled. */
export interface EntrySource extends Pick<BodyCapture, 'access' | 'tapBody' | 'bodyFilter'> {
  /** The entry of a request that is over; for the `log` phase. Owned by the caller. */
  entry(context: RequestContext): LogEntry
}

/** Of a logger: bodies are looked at where its entries show them. */
export const logPhases = ['access', 'tapBody', 'bodyFilter', 'log'] as const

/** The rules of LOG that a schema cannot say; for a plugin's `check`. Throws {@link ConfigError} with the contract's message. */
export function checkLog(config: LogConfig): void {
  for (const name of ['include_req_body_expr', 'include_resp_body_expr'] as const) {
    const rules = config[name]
    if (rules === undefined) continue
    try {
      compileExpression(rules)
    } catch (error) {
      throw new ConfigError(`failed to validate the '${name}' expression: ${(error as Error).message}`)
    }
  }
}

/** Compiles the entries of one configuration; formats of the metadata are followed when they change. */
export function compileEntries(
  config: LogConfig,
  host: Pick<InstanceHost, 'clock' | 'metadata'>,
): EntrySource {
  const format = config.log_format && compileFormat(config.log_format)
  const shown = format ?? formatOf(config.log_format_extra)
  const bodies = compileBodies(config, shown?.names('request_body') ?? false)
  const formats = new Formats(config, format, host)
  return {
    ...(bodies.access && { access: bodies.access }),
    ...(bodies.tapBody && { tapBody: bodies.tapBody }),
    ...(bodies.bodyFilter && { bodyFilter: bodies.bodyFilter }),
    entry(context) {
      const { custom, extra } = formats.current()
      if (custom) return customEntry(custom, context, bodies)
      const entry = defaultEntry(context, {
        nowMs: host.clock.now(),
        requestBody: config.include_req_body ? bodies.request(context) : undefined,
        responseBody: bodies.response(context),
      })
      return extra ? withExtra(entry, extra.render(variablesOf(context, bodies))) : entry
    },
  }
}

/** The formats in force: those of the configuration, else those of the metadata (contract §7, LOG). */
class Formats {
  readonly #config: LogConfig
  readonly #metadata: () => Readonly<Record<string, unknown>>
  readonly #own: LogFormat | undefined
  #seen: Readonly<Record<string, unknown>> | undefined
  #custom: LogFormat | undefined
  #extra: LogFormat | undefined

  constructor(config: LogConfig, own: LogFormat | undefined, host: Pick<InstanceHost, 'metadata'>) {
    this.#config = config
    this.#own = own
    this.#metadata = () => host.metadata()
  }

  current(): { readonly custom: LogFormat | undefined; readonly extra: LogFormat | undefined } {
    const metadata = this.#metadata()
    if (metadata !== this.#seen) {
      this.#seen = metadata
      this.#custom = this.#own ?? formatOf(metadata['log_format'])
      this.#extra = formatOf(this.#config.log_format_extra) ?? formatOf(metadata['log_format_extra'])
    }
    return { custom: this.#custom, extra: this.#extra }
  }
}

/** An empty format of the metadata is none. */
function formatOf(format: unknown): LogFormat | undefined {
  const fields = format as Readonly<Record<string, unknown>> | undefined
  return fields && Object.keys(fields).length > 0 ? compileFormat(fields) : undefined
}

function customEntry(format: LogFormat, context: RequestContext, bodies: BodyCapture): LogEntry {
  const entry = format.render(variablesOf(context, bodies))
  const { route } = context
  if (!route) return entry
  entry['route_id'] = route.id
  if (route.serviceId !== undefined) entry['service_id'] = route.serviceId
  return entry
}

/** The request's variables, and the bodies, which only a logger knows. */
function variablesOf(context: RequestContext, bodies: BodyCapture): VariableSource {
  return {
    var(name) {
      if (name === 'request_body') return bodies.request(context)
      if (name === 'resp_body') return bodies.response(context)
      return context.var(name)
    },
  }
}

function withExtra(entry: LogEntry, extra: LogEntry): LogEntry {
  for (const [name, value] of Object.entries(extra)) {
    if (!Object.hasOwn(entry, name)) setField(entry, name, value)
  }
  return entry
}
