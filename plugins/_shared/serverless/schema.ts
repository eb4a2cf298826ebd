import type { FromSchema } from '../../../src/plugin/api.ts'

/** Configuration of both serverless plugins (contract §7.4). */
export const schema = {
  type: 'object',
  properties: {
    functions: {
      type: 'array',
      minItems: 1,
      items: { type: 'string', minLength: 1 },
      description: 'Sources of JavaScript functions, called one after the other until one answers.',
    },
    phase: {
      type: 'string',
      enum: ['rewrite', 'access', 'before_proxy', 'header_filter', 'body_filter', 'log'],
      default: 'access',
      description: 'When they are called.',
    },
  },
  required: ['functions'],
} as const

export type ServerlessConfig = FromSchema<typeof schema>
export type Phase = ServerlessConfig['phase']
