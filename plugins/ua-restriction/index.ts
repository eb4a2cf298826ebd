import { definePlugin, type FromSchema, type Reply } from '../../src/plugin/api.ts'
import { compileAny, type MatchesAny } from '../_shared/pattern/any-pattern.ts'

const PATTERNS = { type: 'array', minItems: 1, items: { type: 'string', minLength: 1 } } as const

const schema = {
  type: 'object',
  properties: {
    allowlist: { ...PATTERNS, description: 'Patterns of user agents that may pass; all others are refused.' },
    denylist: {
      ...PATTERNS,
      description: 'Patterns of user agents that are refused; exactly one of the two lists is given.',
    },
    bypass_missing: {
      type: 'boolean',
      default: false,
      description: 'Let requests without `User-Agent` pass.',
    },
    message: {
      type: 'string',
      minLength: 1,
      maxLength: 1024,
      default: 'Not allowed',
      description: 'What a refused client is told.',
    },
  },
  oneOf: [{ required: ['allowlist'] }, { required: ['denylist'] }],
} as const

type UaRestrictionConfig = FromSchema<typeof schema>

/** Lets requests in by what their client calls itself (contract §7.2). */
export default definePlugin<UaRestrictionConfig>({
  name: 'ua-restriction',
  priority: 2999,
  phases: ['access'],
  schema,
  check: (config) => void compileList(config),
  compile(config) {
    const isListed = compileList(config)
    const isListedAllowed = config.allowlist !== undefined
    const refusal: Reply = { status: 403, body: { message: config.message } }
    const missing = config.bypass_missing ? undefined : refusal
    return {
      access(context) {
        const agents = context.headers.all('user-agent')
        if (agents.length === 0) return missing
        // Of several lines each must pass: which of them the upstream reads is not known.
        for (const agent of agents) {
          if (isListed(agent.trim()) !== isListedAllowed) return refusal
        }
        return undefined
      },
    }
  },
})

function compileList({ allowlist, denylist }: UaRestrictionConfig): MatchesAny {
  return allowlist ? compileAny(allowlist, 'allowlist') : compileAny(denylist ?? [], 'denylist')
}
