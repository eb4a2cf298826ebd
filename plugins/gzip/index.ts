import { constants, createGzip } from 'node:zlib'
import { definePlugin, type FromSchema } from '../../src/plugin/api.ts'
import { compilePacking, type PackingConfig } from '../_shared/compress/packing.ts'
import { compressProperties } from '../_shared/compress/schema.ts'

const schema = {
  type: 'object',
  properties: {
    ...compressProperties,
    comp_level: {
      type: 'integer',
      minimum: 1,
      maximum: 9,
      default: 1,
      description: 'From fast to small.',
    },
    buffers: {
      type: 'object',
      default: {},
      description: 'Of nginx; accepted, without effect.',
      properties: {
        number: { type: 'integer', minimum: 1, default: 32 },
        size: { type: 'integer', minimum: 1, default: 4096 },
      },
    },
  },
} as const

/** As nginx does. */
const STATUSES: ReadonlySet<number> = new Set([200, 403, 404])

/** Packs bodies with gzip for clients that take it (contract §7.3). */
export default definePlugin<FromSchema<typeof schema>>({
  name: 'gzip',
  priority: 995,
  phases: ['packBody'],
  schema,
  compile(config) {
    // Flushed at the end of every chunk: an event must not wait for the next one to fill a block.
    const options = { level: config.comp_level, flush: constants.Z_SYNC_FLUSH }
    return {
      packBody: compilePacking(config as PackingConfig, {
        coding: 'gzip',
        statuses: STATUSES,
        makeStream: () => createGzip(options),
      }),
    }
  },
})
