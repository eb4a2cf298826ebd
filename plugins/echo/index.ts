import {
  type BodyFilter,
  definePlugin,
  type FromSchema,
  type Headers,
  type RequestContext,
} from '../../src/plugin/api.ts'
import { forgetBody, replaceBody } from '../_shared/body/replace-body.ts'
import { checkReplyHeaders, fixedReplyHeaders, replyHeadersSchema } from '../_shared/headers/reply-headers.ts'

const schema = {
  type: 'object',
  properties: {
    before_body: { type: 'string', description: 'Text before the body.' },
    body: { type: 'string', description: 'Text in place of the body that came.' },
    after_body: { type: 'string', description: 'Text after the body.' },
    headers: { ...replyHeadersSchema, description: 'Headers of the response, in place of those that came.' },
  },
  anyOf: [{ required: ['before_body'] }, { required: ['body'] }, { required: ['after_body'] }],
} as const

type EchoConfig = FromSchema<typeof schema>

/** Puts fixed text around a response's body, or in its place (contract §7.3). */
export default definePlugin<EchoConfig>({
  name: 'echo',
  priority: 412,
  phases: ['headerFilter', 'bodyFilter'],
  schema,
  check({ headers }) {
    if (headers) checkReplyHeaders(headers)
  },
  compile(config) {
    const headers = Object.entries(fixedReplyHeaders(config.headers ?? {}))
    const makeFilter = compileFilter(config)
    const isReplaced = config.body !== undefined
    const isBodyChanged = (response: Headers) => isReplaced || isPlain(response)
    return {
      headerFilter(context) {
        const { response } = context
        if (isBodyChanged(response.headers)) forgetBody(context.response.headers)
        for (const [name, value] of headers) response.headers.set(name, value)
      },
      // A packed body has kept its Content-Encoding, unless the configuration's own headers say something else.
      bodyFilter: ({ response }: RequestContext) =>
        isBodyChanged(response.headers) ? makeFilter() : undefined,
    }
  },
})

/** Whether text may stand beside the body: inside a packed one it would be rubbish. */
function isPlain(headers: Headers): boolean {
  const coding = headers.get('content-encoding')
  return coding === undefined || coding.toLowerCase() === 'identity'
}

function compileFilter({
  before_body: before = '',
  body,
  after_body: after = '',
}: EchoConfig): () => BodyFilter {
  if (body !== undefined) {
    const whole = Buffer.from(before + body + after)
    return () => replaceBody(whole)
  }
  const head = Buffer.from(before)
  const tail = Buffer.from(after)
  return () => {
    let isBegun = head.length === 0
    return {
      write(chunk) {
        if (isBegun) return chunk
        isBegun = true
        return Buffer.concat([head, chunk])
      },
      end: () => (isBegun ? orNothing(tail) : orNothing(Buffer.concat([head, tail]))),
    }
  }
}

const orNothing = (bytes: Buffer) => (bytes.length === 0 ? undefined : bytes)
