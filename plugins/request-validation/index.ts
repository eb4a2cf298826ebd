import { definePlugin, type Reply, type RequestContext } from '../../src/plugin/api.ts'
import { type Parsed, parseBody } from './body.ts'
import { compileHeaderTable } from './headers.ts'
import { type RequestValidationConfig, schema } from './schema.ts'
import { type Check, compileUserSchema } from './user-schema.ts'

type Refuse = (reason?: string) => Reply
type Step = (context: RequestContext) => Reply | undefined | Promise<Reply | undefined>

/** Lets requests through whose headers and body fit a JSON schema (contract §7.2). */
export default definePlugin<RequestValidationConfig>({
  name: 'request-validation',
  priority: 2800,
  phases: ['rewrite'],
  schema,
  check(config) {
    compileHeaders(config)
    compileBody(config)
  },
  compile(config) {
    const checkHeaders = compileHeaders(config)
    const checkBody = compileBody(config)
    return { rewrite: (context) => checkHeaders?.(context) ?? checkBody?.(context) }
  },
})

function compileHeaders(
  config: RequestValidationConfig,
): ((context: RequestContext) => Reply | undefined) | undefined {
  const { header_schema: headerSchema } = config
  if (!headerSchema) return undefined
  const check = compileUserSchema(headerSchema, 'header_schema')
  const tableOf = compileHeaderTable(headerSchema)
  const refuse = compileRefusal(config)
  return ({ headers }) => {
    const reason = reasonOf(check, tableOf(headers))
    return reason === undefined ? undefined : refuse(reason)
  }
}

function compileBody(config: RequestValidationConfig): Step | undefined {
  const { body_schema: bodySchema, max_req_body_size: maxBytes } = config
  if (!bodySchema) return undefined
  const check = compileUserSchema(bodySchema, 'body_schema')
  const refuse = compileRefusal(config)
  return async (context) => {
    const types = context.headers.all('content-type')
    if (types.length > 1) return refuse('the header Content-Type stands more than once')
    const bytes = await context.readBody(maxBytes)
    if (bytes.length === 0) return refuse()
    try {
      const parsed = parseBody(bytes, types[0])
      const reason = reasonOf(check, parsed.value)
      if (reason !== undefined) return refuse(reason)
      // What was checked is what the upstream gets, of keys that stand twice too.
      context.setBody(written(parsed))
      return undefined
    } catch (error) {
      return refuse(`the body cannot be read: ${(error as Error).message}`)
    }
  }
}

const written = ({ value, write }: Parsed) => write(value)

/** A reason may quote what the client has sent, however long that is. */
const MAX_REASON_LENGTH = 1000

/** Without a reason the client gets the page of the status. */
function compileRefusal({ rejected_code: status, rejected_msg: message }: RequestValidationConfig): Refuse {
  return (reason) => {
    const body = message ?? reason?.slice(0, MAX_REASON_LENGTH)
    return body === undefined ? { status } : { status, body }
  }
}

/** A value that is nested too deeply for the schema, or too long for a pattern in it, does not fit. */
function reasonOf(check: Check, value: unknown): string | undefined {
  try {
    return check(value)
  } catch (error) {
    return `the request cannot be checked: ${(error as Error).message}`
  }
}
