import { keyTypeProperty, policyProperty, rejectionProperties } from '../_shared/limit/schema.ts'
import { redisProperties, redisRequirements } from '../_shared/redis/schema.ts'
import type { RedisOptions } from '../_shared/redis/target.ts'

/** Configuration of limit-req (contract §7.3). */
export const schema = {
  type: 'object',
  properties: {
    rate: { type: 'number', exclusiveMinimum: 0, description: 'Requests per second that pass at once.' },
    burst: {
      type: 'number',
      minimum: 0,
      description: 'Requests ahead of the rate that are held back for their turn; further ones are refused.',
    },
    key: { type: 'string', minLength: 1, description: 'What requests are counted by.' },
    key_type: keyTypeProperty,
    nodelay: {
      type: 'boolean',
      default: false,
      description: 'Let requests within `burst` pass without holding them back.',
    },
    ...rejectionProperties,
    policy: policyProperty,
    ...redisProperties,
  },
  required: ['rate', 'burst', 'key'],
  ...redisRequirements,
} as const

export interface LimitReqConfig extends RedisOptions {
  readonly rate: number
  readonly burst: number
  readonly key: string
  readonly key_type: 'var' | 'var_combination'
  readonly nodelay: boolean
  readonly rejected_code: number
  readonly rejected_msg?: string
  readonly allow_degradation: boolean
  readonly policy: 'local' | 'redis' | 'redis-cluster'
}
