import { type BrotliOptions, constants, createBrotliCompress } from 'node:zlib'
import { definePlugin, type FromSchema } from '../../src/plugin/api.ts'
import { compilePacking, type PackingConfig } from '../_shared/compress/packing.ts'
import { compressProperties } from '../_shared/compress/schema.ts'

const schema = {
  type: 'object',
  properties: {
    ...compressProperties,
    mode: {
      type: 'integer',
      minimum: 0,
      maximum: 2,
      default: 0,
      description: 'What bodies are: 0 anything, 1 text, 2 fonts.',
    },
    comp_level: {
      type: 'integer',
      minimum: 0,
      maximum: 11,
      default: 6,
      description: 'From fast to small; above 6 it takes much time.',
    },
    lgwin: {
      type: 'integer',
      enum: [0, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24],
      default: 19,
      description: 'Window, as a power of two; 0 leaves it to brotli.',
    },
    lgblock: {
      type: 'integer',
      enum: [0, 16, 17, 18, 19, 20, 21, 22, 23, 24],
      default: 0,
      description: 'Longest block, as a power of two; 0 leaves it to brotli.',
    },
  },
} as const

type BrotliConfig = FromSchema<typeof schema>

/** Packs bodies with brotli for clients that take it (contract §7.3). */
export default definePlugin<BrotliConfig>({
  name: 'brotli',
  priority: 996,
  phases: ['packBody'],
  schema,
  compile(config) {
    const options = optionsOf(config)
    return {
      packBody: compilePacking(config as PackingConfig, {
        coding: 'br',
        makeStream: () => createBrotliCompress(options),
      }),
    }
  },
})

function optionsOf({ mode, comp_level, lgwin, lgblock }: BrotliConfig): BrotliOptions {
  return {
    // Flushed at the end of every chunk: an event must not wait for the next one to fill a block.
    flush: constants.BROTLI_OPERATION_FLUSH,
    params: {
      [constants.BROTLI_PARAM_MODE]: mode,
      [constants.BROTLI_PARAM_QUALITY]: comp_level,
      [constants.BROTLI_PARAM_LGBLOCK]: lgblock,
      ...(lgwin > 0 && { [constants.BROTLI_PARAM_LGWIN]: lgwin }),
    },
  }
}
