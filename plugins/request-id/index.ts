import { ConfigError, definePlugin, type FromSchema, requestSlot } from '../../src/plugin/api.ts'
import { createGenerator, type RangeId } from './algorithms.ts'

const schema = {
  type: 'object',
  properties: {
    header_name: {
      type: 'string',
      default: 'X-Request-Id',
      description: 'Header that carries the id, toward the upstream and back to the client.',
    },
    include_in_response: {
      type: 'boolean',
      default: true,
      description: 'Send the id to the client too, unless the response has the header already.',
    },
    algorithm: {
      type: 'string',
      enum: ['uuid', 'nanoid', 'range_id', 'ksuid', 'uuidv7'],
      default: 'uuid',
      description: 'How a new id is made.',
    },
    range_id: {
      type: 'object',
      default: {},
      description: 'For `range_id` only.',
      properties: {
        length: { type: 'integer', minimum: 6, default: 16, description: 'Characters of an id.' },
        char_set: {
          type: 'string',
          minLength: 6,
          default: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIGKLMNOPQRSTUVWXYZ0123456789',
          description: 'Characters to draw from.',
        },
      },
    },
  },
} as const

/** An id under the header that it has; several when more than one configuration of the plugin meets a request. */
interface Issued {
  readonly header: string
  readonly id: string
  readonly next: Issued | undefined
}

const issued = requestSlot<Issued>('request-id')
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

const PRINTABLE = /^[\x21-\x7e]+$/
const MAX_RANGE_ID_LENGTH = 1024

/** Gives every request an id that client, gateway and upstream share (contract §7.3). */
export default definePlugin<FromSchema<typeof schema>>({
  name: 'request-id',
  priority: 12015,
  phases: ['rewrite', 'headerFilter'],
  schema,
  check(config) {
    checkHeaderName(config.header_name)
    checkRangeId(config.range_id as RangeId)
  },
  compile(config, host) {
    const { header_name: name, include_in_response: isInResponse } = config
    const lowerName = name.toLowerCase()
    const generate = createGenerator({
      algorithm: config.algorithm,
      rangeId: config.range_id as RangeId,
      now: () => host.clock.now(),
    })
    return {
      rewrite(context) {
        let id = context.headers.get(lowerName)
        if (id === undefined) {
          id = generate()
          context.headers.append(name, id)
        }
        if (isInResponse) context.set(issued, { header: lowerName, id, next: context.get(issued) })
      },
      ...(isInResponse && {
        headerFilter(context) {
          const { headers } = context.response
          if (headers.has(lowerName)) return
          let one = context.get(issued)
          while (one && one.header !== lowerName) one = one.next
          if (one) headers.append(name, one.id)
        },
      }),
    }
  },
})

function checkHeaderName(name: string): void {
  if (TOKEN.test(name)) return
  throw new ConfigError(
    `header_name ${JSON.stringify(name)} is not a header name; use for example X-Request-Id`,
  )
}

function checkRangeId({ length, char_set: characters }: RangeId): void {
  if (length > MAX_RANGE_ID_LENGTH) {
    throw new ConfigError(`range_id.length ${length} is too long for a header; use 6–${MAX_RANGE_ID_LENGTH}`)
  }
  if (!PRINTABLE.test(characters)) {
    throw new ConfigError(
      `range_id.char_set ${JSON.stringify(characters)} cannot stand in a header; use printable ASCII without spaces`,
    )
  }
}
