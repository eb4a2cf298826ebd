import type { FromSchema } from '../../src/plugin/api.ts'

/** Configuration of proxy-mirror (contract §7.3). */
export const schema = {
  type: 'object',
  properties: {
    host: {
      type: 'string',
      pattern: '^https?://([0-9a-zA-Z.-]+|\\[[0-9a-fA-F:]+\\])(:[0-9]{1,5})?$',
      description: 'Where the copies go: scheme, host and port.',
    },
    path: {
      type: 'string',
      pattern: '^/[^?& #]*$',
      description: 'Path of the copies; that of the request unless given.',
    },
    path_concat_mode: {
      type: 'string',
      enum: ['replace', 'prefix'],
      default: 'replace',
      description: 'Whether `path` takes the place of the request’s or stands before it.',
    },
    sample_ratio: {
      type: 'number',
      minimum: 0.00001,
      maximum: 1,
      default: 1,
      description: 'Share of the requests that are copied.',
    },
    ssl_verify: {
      type: 'boolean',
      default: true,
      description: 'Check the certificate of an `https` host.',
    },
  },
  required: ['host'],
} as const

export type MirrorConfig = FromSchema<typeof schema>

const duration = { type: 'string', pattern: '^[0-9]+(ms|s|m)$', default: '60s' } as const

export const attrSchema = {
  type: 'object',
  properties: {
    timeout: {
      type: 'object',
      default: {},
      description: 'How long a copy may take: to connect, and in all the sum of the three.',
      properties: { connect: duration, read: duration, send: duration },
    },
  },
} as const

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

export interface Timeouts {
  readonly connectMs: number
  readonly totalMs: number
}

/** The times of the settings; the schema's defaults where they say nothing. */
export function timeoutsOf(attr: Readonly<Record<string, unknown>>): Timeouts {
  const { connect, read, send } = (attr['timeout'] ?? {}) as Record<string, string | undefined>
  const connectMs = milliseconds(connect)
  return { connectMs, totalMs: connectMs + milliseconds(read) + milliseconds(send) }
}

function milliseconds(text: string = duration.default): number {
  const [, amount, unit = 's'] = /^(\d+)(\w+)$/.exec(text) ?? []
  return Number(amount) * UNIT_MS[unit]!
}
