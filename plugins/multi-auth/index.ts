import {
  type CheckTools,
  ConfigError,
  definePlugin,
  type FromSchema,
  type PhaseResult,
  type PluginInstance,
  type Reply,
  type RequestContext,
} from '../../src/plugin/api.ts'

const schema = {
  type: 'object',
  properties: {
    auth_plugins: {
      type: 'array',
      minItems: 2,
      items: { type: 'object', minProperties: 1 },
      description:
        'Authentication plugins by name with their configuration, in the order in which they are tried.',
    },
  },
  required: ['auth_plugins'],
} as const

type Config = FromSchema<typeof schema>
type Rewrite = NonNullable<PluginInstance['rewrite']>

const CHALLENGE = 'WWW-Authenticate'

/** Lets a request in when one of several authentication plugins does (contract §7.1). */
export default definePlugin<Config>({
  name: 'multi-auth',
  priority: 2600,
  phases: ['rewrite'],
  type: 'auth',
  schema,
  check(config, tools) {
    for (const [name, nested] of namedIn(config)) checkNested(name, nested, tools)
  },
  compile(config, host) {
    const tries: Rewrite[] = []
    for (const [name, nested] of namedIn(config)) {
      const { rewrite } = host.nested(name, nested)
      if (!rewrite) throw new ConfigError(`${name} plugin is not supported`)
      tries.push(rewrite)
    }
    return { rewrite: (context) => tryFrom(0, { tries, context, last: undefined }) }
  },
})

const namedIn = ({ auth_plugins: plugins }: Config): [string, unknown][] => plugins.flatMap(Object.entries)

function checkNested(name: string, config: unknown, tools: CheckTools): void {
  const plugin = tools.find(name)
  if (!plugin) throw new ConfigError(`${name} plugin did not found`)
  if (plugin.type !== 'auth') throw new ConfigError(`${name} plugin is not supported`)
  const problem = tools.check(name, config)
  if (problem === undefined) return
  const reason = problem.replace(`failed to check the configuration of plugin ${name} err: `, '')
  throw new ConfigError(`plugin ${name} check schema failed: ${reason}`)
}

interface Attempts {
  readonly tries: readonly Rewrite[]
  readonly context: RequestContext
  /** The refusal of the plugin before. */
  readonly last: Reply | undefined
}

/** Asks the plugins from the given one on; stays synchronous as long as they do. */
function tryFrom(index: number, { tries, context, last }: Attempts): PhaseResult | Promise<PhaseResult> {
  const rewrite = tries[index]
  if (!rewrite) return refusal(last)
  const next = (reply: PhaseResult): PhaseResult | Promise<PhaseResult> =>
    reply && tryFrom(index + 1, { tries, context, last: reply })
  const result = rewrite(context)
  return result instanceof Promise ? result.then(next) : next(result)
}

/** With the challenge of the plugin that was asked last. */
function refusal(last: Reply | undefined): Reply {
  const challenge = last?.headers?.[CHALLENGE]
  return {
    status: 401,
    body: { message: 'Authorization Failed' },
    ...(challenge !== undefined && { headers: { [CHALLENGE]: challenge } }),
  }
}
