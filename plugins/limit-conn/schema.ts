import { keyTypeProperty, policyProperty, rejectionProperties } from '../_shared/limit/schema.ts'
import { redisProperties, redisRequirements } from '../_shared/redis/schema.ts'
import type { RedisOptions } from '../_shared/redis/target.ts'

const conn = {
  oneOf: [{ type: 'integer', exclusiveMinimum: 0 }, { type: 'string' }],
  description: 'Requests under way that pass at once; a number or a template.',
} as const
const burst = {
  oneOf: [{ type: 'integer', minimum: 0 }, { type: 'string' }],
  description: 'Further ones that are held back first; a number or a template. More are refused.',
} as const

/** Configuration of limit-conn (contract §7.3). */
export const schema = {
  type: 'object',
  properties: {
    conn,
    burst,
    key: { type: 'string', minLength: 1, description: 'What requests are counted by.' },
    key_type: keyTypeProperty,
    rules: {
      type: 'array',
      minItems: 1,
      description: 'Several limits at once, in place of `conn`, `burst` and `key`; a request must pass all.',
      items: {
        type: 'object',
        properties: {
          conn,
          burst,
          key: {
            type: 'string',
            minLength: 1,
            description:
              'Template of what is counted by; the rule is skipped when nothing in it has a value.',
          },
        },
        required: ['conn', 'burst', 'key'],
      },
    },
    default_conn_delay: {
      type: 'number',
      exclusiveMinimum: 0,
      description: 'Seconds that a request is held back for each full `conn` ahead of it.',
    },
    only_use_default_delay: {
      type: 'boolean',
      default: false,
      description: 'Do not adapt the delay to the time that requests take.',
    },
    ...rejectionProperties,
    policy: policyProperty,
    key_ttl: {
      type: 'integer',
      minimum: 1,
      default: 3600,
      description: 'With redis: seconds after which a request counts as ended, however long it takes.',
    },
    ...redisProperties,
  },
  oneOf: [
    { required: ['conn', 'burst', 'default_conn_delay', 'key'] },
    { required: ['default_conn_delay', 'rules'] },
  ],
  ...redisRequirements,
} as const

export interface ConnRule {
  readonly conn: number | string
  readonly burst: number | string
  readonly key: string
}

export interface LimitConnConfig extends Partial<ConnRule>, RedisOptions {
  readonly key_type: 'var' | 'var_combination'
  readonly rules?: readonly ConnRule[]
  readonly default_conn_delay: number
  readonly only_use_default_delay: boolean
  readonly rejected_code: number
  readonly rejected_msg?: string
  readonly allow_degradation: boolean
  readonly policy: 'local' | 'redis' | 'redis-cluster'
  readonly key_ttl: number
}
