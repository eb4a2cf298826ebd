import {
  ConfigError,
  compileTemplate,
  definePlugin,
  type Reply,
  type RequestContext,
} from '../../src/plugin/api.ts'
import { hold, releaseHeld } from '../_shared/delay/hold.ts'
import { checkReplyHeaders, fixedReplyHeaders } from '../_shared/headers/reply-headers.ts'
import { isHeaderValue } from '../_shared/headers/value.ts'
import { compileMadeUp, type MadeUpSchema } from './made-up.ts'
import { type MockingConfig, schema } from './schema.ts'
import { checkElementNames, toXml } from './xml.ts'

type MakeBody = (context: RequestContext) => string
type Write = (value: unknown) => string

const asJson: Write = (value) => JSON.stringify(value ?? {})
const asXml: Write = (value) => toXml(value ?? {}, 'data')

/** How a made-up value is written, by media type; HTML is for examples only. */
const WRITERS: ReadonlyMap<string, Write | undefined> = new Map([
  ['application/json', asJson],
  ['text/plain', asJson],
  ['application/xml', asXml],
  ['text/xml', asXml],
  ['text/html', undefined],
])
/** What clients of APISIX look for. */
const MOCK_HEADER = ['x-mock-by', 'APISIX/3.18.0'] as const

/** Answers in place of an upstream that is not there yet (contract §7.3). */
export default definePlugin<MockingConfig>({
  name: 'mocking',
  priority: 10900,
  phases: ['access', 'log'],
  schema,
  check(config) {
    if (!isHeaderValue(config.content_type)) throw new ConfigError('unsupported content type!')
    if (config.response_headers) checkReplyHeaders(config.response_headers)
    compileBody(config)
  },
  compile(config) {
    const { response_status: status, delay } = config
    const makeBody = compileBody(config)
    const headers = {
      'Content-Type': config.content_type,
      ...(config.with_mock_header && Object.fromEntries([MOCK_HEADER])),
      ...fixedReplyHeaders(config.response_headers ?? {}),
    }
    const answer = (context: RequestContext): Reply => ({ status, headers, body: makeBody(context) })
    if (delay === 0) return { access: answer }
    return {
      access: async (context) => (await hold(context, delay * 1000)) ?? answer(context),
      log: releaseHeld,
    }
  },
})

function compileBody(config: MockingConfig): MakeBody {
  const mediaType = config.content_type.split(';')[0]!.trim().toLowerCase()
  if (!WRITERS.has(mediaType)) throw new ConfigError('unsupported content type!')
  if (config.response_example !== undefined) {
    const template = compileTemplate(config.response_example)
    return (context) => template.render(context)
  }
  const write = WRITERS.get(mediaType)
  if (!write) {
    throw new ConfigError(
      `content_type "${mediaType}" takes a response_example; a response_schema is written as JSON or XML`,
    )
  }
  const described = (config.response_schema ?? {}) as MadeUpSchema
  if (write === asXml) checkElementNames(described)
  const maker = compileMadeUp(described)
  return () => write(maker.make())
}
