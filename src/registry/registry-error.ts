/** The code of a failure and its status, as clients of the registry meet them. */
export const ERROR_STATUS = {
  VALIDATION_FAILED: 400,
  INVALID_AGENT_ID: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NODE_NOT_FOUND: 404,
  AGENT_NOT_FOUND: 404,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  NODE_ID_CONFLICT: 409,
  AGENT_ID_CONFLICT: 409,
  EVENTS_GONE: 410,
  TOO_MANY_REQUESTS: 429,
  INTERNAL_ERROR: 500,
  NO_HEALTHY_NODE: 503,
  REGISTRY_UNAVAILABLE: 503,
} as const

export type ErrorCode = keyof typeof ERROR_STATUS

/** A request to the registry that cannot be met; its message is for the client. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError'
  readonly code: ErrorCode
  readonly status: number
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly status?: number; readonly details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message)
    this.code = code
    this.status = options.status ?? ERROR_STATUS[code]
    this.details = options.details
  }
}
