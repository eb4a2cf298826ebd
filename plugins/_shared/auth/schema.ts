/** Fields that every authentication plugin has (contract §7.1). */
export const hideCredentials = {
  type: 'boolean',
  default: false,
  description: 'Remove the credentials from the request before it goes to the upstream.',
} as const

export const anonymousConsumer = {
  type: 'string',
  minLength: 1,
  description: 'Name of the consumer that stands in when authentication fails.',
} as const

/** Printable ASCII without `"` and `\`, which would end or escape the quoted realm of `WWW-Authenticate`. */
export const REALM = {
  type: 'string',
  minLength: 1,
  maxLength: 128,
  pattern: '^[\\x20-\\x21\\x23-\\x5b\\x5d-\\x7e]+$',
  description: 'The realm shown in `WWW-Authenticate`.',
} as const
