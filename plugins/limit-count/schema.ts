import type { KeyType } from '../_shared/limit/key.ts'
import type { CounterOptions } from '../_shared/limit/quota-counters.ts'
import { redisProperties, sentinelProperties, sentinelRequirements } from '../_shared/redis/schema.ts'

const HEADER_TOKEN = '^[0-9A-Za-z_-]+$'

const amount = (what: string) =>
  ({ oneOf: [{ type: 'integer', exclusiveMinimum: 0 }, { type: 'string' }], description: what }) as const

/** Configuration of limit-count (contract §7.3). */
export const schema = {
  type: 'object',
  properties: {
    count: amount('Requests let through in one window; a number or a template.'),
    time_window: amount('Length of the window in seconds; a number or a template.'),
    rules: {
      type: 'array',
      minItems: 1,
      description: 'Several limits at once, in place of `count` and `time_window`; a request must pass all.',
      items: {
        type: 'object',
        properties: {
          count: amount('Requests let through in one window.'),
          time_window: amount('Length of the window in seconds.'),
          key: {
            type: 'string',
            minLength: 1,
            description:
              'Template of what is counted by; the rule is skipped when nothing in it has a value.',
          },
          header_prefix: {
            type: 'string',
            pattern: HEADER_TOKEN,
            description: "Put into the names of the rule's headers; its number by default.",
          },
        },
        required: ['count', 'time_window', 'key'],
      },
    },
    window_type: {
      type: 'string',
      enum: ['fixed', 'sliding'],
      default: 'fixed',
      description: '`fixed` opens a window with the first request; `sliding` weighs the previous window in.',
    },
    group: {
      type: 'string',
      minLength: 1,
      description: 'Configurations of one group count together; they must be equal.',
    },
    key: { type: 'string', default: 'remote_addr', description: 'What requests are counted by.' },
    key_type: {
      type: 'string',
      enum: ['var', 'var_combination', 'constant'],
      default: 'var',
      description: '`key` is the name of a variable, a template of several, or the same for all.',
    },
    rejected_code: {
      type: 'integer',
      minimum: 200,
      maximum: 599,
      default: 503,
      description: 'Status of a refusal.',
    },
    rejected_msg: {
      type: 'string',
      minLength: 1,
      description: 'Sent as `{"error_msg": …}` with a refusal.',
    },
    policy: {
      type: 'string',
      enum: ['local', 'redis', 'redis-cluster', 'redis-sentinel'],
      default: 'local',
      description: 'Where counters live: in this node, or in a redis that several nodes share.',
    },
    allow_degradation: {
      type: 'boolean',
      default: false,
      description: 'Let requests pass when they cannot be counted.',
    },
    show_limit_quota_header: {
      type: 'boolean',
      default: true,
      description: 'Send the quota headers.',
    },
    sync_interval: {
      type: 'number',
      default: -1,
      description:
        'With redis and a fixed window: seconds between exchanges, requests being counted here meanwhile; −1 asks redis at every request.',
    },
    ...redisProperties,
    ...sentinelProperties,
  },
  anyOf: [{ required: ['count', 'time_window'] }, { required: ['rules'] }],
  ...sentinelRequirements,
} as const

const headerName = (name: string, what: string) =>
  ({ type: 'string', pattern: HEADER_TOKEN, default: name, description: what }) as const

export const metadataSchema = {
  type: 'object',
  properties: {
    limit_header: headerName('X-RateLimit-Limit', 'Name of the header with the limit.'),
    remaining_header: headerName('X-RateLimit-Remaining', 'Name of the header with what is left.'),
    reset_header: headerName('X-RateLimit-Reset', 'Name of the header with the seconds left.'),
  },
} as const

export interface Rule {
  readonly count: number | string
  readonly time_window: number | string
  readonly key: string
  readonly header_prefix?: string
}

/** What the schema leaves; spelt by hand, because the derived union of both forms cannot be read by the code that serves both. */
export interface LimitCountConfig extends CounterOptions {
  readonly count?: number | string
  readonly time_window?: number | string
  readonly rules?: readonly Rule[]
  readonly group?: string
  readonly key: string
  readonly key_type: KeyType
  readonly rejected_code: number
  readonly rejected_msg?: string
  readonly allow_degradation: boolean
  readonly show_limit_quota_header: boolean
}
