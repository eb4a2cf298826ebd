import { ConfigError, definePlugin, type FromSchema } from '../../src/plugin/api.ts'
import { createBatch } from '../_shared/batch/batch.ts'
import { batchMetadata, maxPendingOf } from '../_shared/batch/schema.ts'
import { checkLog, compileEntries, logPhases } from '../_shared/log-entry/log-entry.ts'
import { logMetadata, logProperties } from '../_shared/log-entry/schema.ts'
import { appendLines } from './file-sink.ts'
import { compileMatch } from './match.ts'

const schema = {
  type: 'object',
  properties: {
    path: {
      type: 'string',
      description:
        'The file; relative to the directory the gateway was started in. Default: that of the metadata.',
    },
    match: {
      type: 'array',
      maxItems: 20,
      items: { type: 'array' },
      description: 'Expressions, as in `vars`; only requests for which one of them holds are logged.',
    },
    ...logProperties,
  },
} as const

const metadataSchema = {
  type: 'object',
  properties: {
    path: { type: 'string', description: 'The file for every configuration that names none.' },
    ...logMetadata,
    ...batchMetadata,
  },
} as const

/** Lines of one write at most. */
const MAX_LINES = 1000

/** Appends an entry to a file for each request (contract §7.6). */
export default definePlugin<FromSchema<typeof schema>>({
  name: 'file-logger',
  priority: 399,
  phases: logPhases,
  schema,
  metadataSchema,
  check(config) {
    try {
      compileMatch(config.match)
    } catch (error) {
      throw new ConfigError(`failed to validate the 'match' expression: ${(error as Error).message}`)
    }
    checkLog(config)
  },
  compile(config, host) {
    const { entry, ...phases } = compileEntries(config, host)
    const isMatch = compileMatch(config.match)
    const batch = createBatch<string>({
      name: 'file-logger',
      options: {
        ...{ maxEntries: MAX_LINES, inactiveMs: 0, durationMs: 0, maxRetries: 0, retryDelayMs: 0 },
        maxPending: () => maxPendingOf(host.metadata()),
      },
      host,
      async send(lines) {
        const path = config.path ?? host.metadata()['path']
        if (typeof path !== 'string') throw new Error(NO_PATH)
        await appendLines(path, lines)
      },
    })
    return {
      ...phases,
      log(context) {
        if (!isMatch(context) || batch.refuses()) return
        const line = JSON.stringify(entry(context))
        batch.push(line, line.length)
      },
    }
  },
})

const NO_PATH = 'property "path" is not set in either the plugin conf or the metadata'
