import type { FromSchema, RequestContext } from '../../src/plugin/api.ts'
import { DecodeError, decodeBody, type Format, formatOf } from './decode.ts'
import type { schema } from './schema.ts'
import { compileTemplate, type Template, type Values } from './template/render.ts'
import { TemplateError } from './template/template-error.ts'
import { Lookup } from './template/values.ts'

export type TransformConfig = NonNullable<FromSchema<typeof schema>['request']>

/** A body could not be transformed: status and message of the answer (contract §7.4). */
export class TransformError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Turns a body into another. Throws {@link TransformError}. */
export type Transform = (context: RequestContext, body: Buffer, contentType: string | undefined) => string

/** Compiles one direction; `what` begins its messages. Throws an Error when the template cannot be read. */
export function compileTransform(config: TransformConfig, what: 'request' | 'response'): Transform {
  const template = readTemplate(config, what)
  return (context, body, contentType) => {
    const format = config.input_format ?? formatOf(contentType)
    try {
      const isEmpty = body.length === 0 && format !== 'args'
      const fields = format === undefined || isEmpty ? {} : read(format, { context, body, contentType })
      return template.render(valuesOf(fields, context, body))
    } catch (error) {
      if (error instanceof DecodeError) throw new TransformError(400, `${what} body decode: ${error.message}`)
      if (error instanceof TemplateError)
        throw new TransformError(503, `${what} template rendering: ${error.message}`)
      throw error
    }
  }
}

function readTemplate(config: TransformConfig, what: string): Template {
  try {
    return compileTemplate(templateText(config))
  } catch (error) {
    throw new Error(`${what} template compile: ${(error as Error).message}`)
  }
}

/** In base64 when it says so; for structured formats also when it cannot be anything else, as in APISIX. */
function templateText({ template, template_is_base64, input_format }: TransformConfig): string {
  const isStructured = input_format === 'xml' || input_format === 'json' || input_format === 'multipart'
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(template) && template.length % 4 === 0
  return template_is_base64 || (isStructured && isBase64)
    ? Buffer.from(template, 'base64').toString()
    : template
}

function read(
  format: Format,
  { context, body, contentType }: { context: RequestContext; body: Buffer; contentType: string | undefined },
): Readonly<Record<string, unknown>> {
  return decodeBody(format, { body, contentType, query: context.queryString })
}

function valuesOf(fields: Readonly<Record<string, unknown>>, context: RequestContext, body: Buffer): Values {
  const ctx = new Lookup((name) => (name === 'var' ? new Lookup((key) => context.var(key)) : undefined))
  return (name) => {
    if (Object.hasOwn(fields, name)) return fields[name]
    if (name === '_ctx') return ctx
    if (name === '_body') return body.toString()
    return name === 'context' ? fields : undefined
  }
}
