import type { FromSchema } from '../../src/plugin/api.ts'
import { replyHeadersSchema } from '../_shared/headers/reply-headers.ts'

const MAX_EXPRESSIONS = 20

const percentage = {
  type: 'integer',
  minimum: 0,
  maximum: 100,
  description: 'Share of the requests that it happens to; all unless given.',
} as const

const vars = {
  type: 'array',
  maxItems: MAX_EXPRESSIONS,
  items: { type: 'array' },
  description: 'Expressions; it happens only when one of them holds.',
} as const

/** Configuration of fault-injection (contract §7.3). */
export const schema = {
  type: 'object',
  properties: {
    abort: {
      type: 'object',
      description: 'Answers in place of the upstream.',
      properties: {
        http_status: { type: 'integer', minimum: 200, maximum: 999, description: 'Status of the answer.' },
        body: { type: 'string', description: 'May hold variables; the page of the status unless given.' },
        headers: { ...replyHeadersSchema, description: 'Values may hold variables.' },
        percentage,
        vars,
      },
      required: ['http_status'],
    },
    delay: {
      type: 'object',
      description: 'Keeps the request waiting, before it is aborted or goes on.',
      properties: {
        duration: { type: 'number', minimum: 0, description: 'Seconds.' },
        percentage,
        vars,
      },
      required: ['duration'],
    },
  },
  anyOf: [{ required: ['abort'] }, { required: ['delay'] }],
} as const

export type FaultInjectionConfig = FromSchema<typeof schema>
