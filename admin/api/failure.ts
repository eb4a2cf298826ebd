import type { FastifyRequest } from 'fastify'
import type { Logger } from '../../src/observe/logger.ts'
import { RevisionConflictError, StoreUnavailableError } from '../../src/store/config-store.ts'
import { type Answer, Refusal } from './answer.ts'
import { bareStatus } from './bare-status.ts'

/** The answer to whatever was thrown. What nobody foresaw is logged and answered with a bare 500. */
export function answerFailure(
  error: unknown,
  request: FastifyRequest,
  { logger, bodyLimit }: { logger: Logger; bodyLimit: number },
): Answer {
  if (error instanceof Refusal) return error.answer
  if (error instanceof RevisionConflictError) {
    return { status: 503, json: { error_msg: 'value changed before overwritten' } }
  }
  if (error instanceof StoreUnavailableError) return { status: 503, json: { error_msg: error.message } }
  const { code, statusCode = 500 } = error as { code?: string; statusCode?: number }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return tooLarge(request, bodyLimit)
  if (statusCode >= 400 && statusCode < 500) return bareStatus(statusCode, request.headers.accept)
  logger.error({ err: error, method: request.method }, 'the admin API failed')
  return bareStatus(500, request.headers.accept)
}

function tooLarge({ headers }: FastifyRequest, limit: number): Answer {
  const size = headers['content-length'] ?? `over ${limit}`
  const message = `request size ${size} is greater than the maximum size ${limit} allowed`
  return { status: 400, json: { error_msg: `invalid request body: ${message}` } }
}
