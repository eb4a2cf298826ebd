import { definePlugin, type FromSchema, type Reply } from '../../src/plugin/api.ts'
import { compileAny } from '../_shared/pattern/any-pattern.ts'

const schema = {
  type: 'object',
  properties: {
    block_rules: {
      type: 'array',
      items: { type: 'string', minLength: 1, maxLength: 4096 },
      uniqueItems: true,
      description: 'Patterns; a request whose path and query one of them matches is refused.',
    },
    rejected_code: {
      type: 'integer',
      minimum: 200,
      maximum: 999,
      default: 403,
      description: 'Status of a refusal.',
    },
    rejected_msg: {
      type: 'string',
      minLength: 1,
      description: 'What a refused client is told, as `error_msg`; the page of the status by default.',
    },
    case_insensitive: { type: 'boolean', default: false, description: 'Match without regard to case.' },
  },
  required: ['block_rules'],
} as const

type UriBlockerConfig = FromSchema<typeof schema>

/** Refuses requests by patterns for path and query (contract §7.2). */
export default definePlugin<UriBlockerConfig>({
  name: 'uri-blocker',
  priority: 2900,
  phases: ['rewrite'],
  schema,
  check: (config) => void compileRules(config),
  compile(config) {
    const isBlocked = compileRules(config)
    const { rejected_code: status, rejected_msg: message } = config
    const refusal: Reply = message === undefined ? { status } : { status, body: { error_msg: message } }
    return { rewrite: (context) => (isBlocked(context.requestUri) ? refusal : undefined) }
  },
})

const compileRules = ({ block_rules: rules, case_insensitive: ignoresCase }: UriBlockerConfig) =>
  compileAny(rules, 'block_rules', ignoresCase ? 'i' : '')
