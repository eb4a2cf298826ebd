const statuses = (range: { minimum: number; maximum: number }, byDefault: number, description: string) =>
  ({
    type: 'array',
    minItems: 1,
    uniqueItems: true,
    items: { type: 'integer', ...range },
    default: [byDefault],
    description,
  }) as const
const times = (description: string) => ({ type: 'integer', minimum: 1, default: 3, description }) as const

/** Configuration of api-breaker (contract §7.3). */
export const schema = {
  type: 'object',
  properties: {
    break_response_code: {
      type: 'integer',
      minimum: 200,
      maximum: 599,
      description: 'Status of the answer while the circuit is open.',
    },
    break_response_body: {
      type: 'string',
      description: 'Body of that answer; the page of the status unless given.',
    },
    break_response_headers: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          key: { type: 'string', minLength: 1, description: 'Name of a header.' },
          value: { type: 'string', minLength: 1, description: 'Its value; may hold variables.' },
        },
        required: ['key', 'value'],
      },
      description: 'Sent with `break_response_body`, and not without it.',
    },
    max_breaker_sec: {
      type: 'integer',
      minimum: 3,
      default: 300,
      description: 'Longest time, in seconds, that the circuit stays open at once.',
    },
    unhealthy: {
      type: 'object',
      properties: {
        http_statuses: statuses(
          { minimum: 500, maximum: 599 },
          500,
          'Answers of the upstream that are failures.',
        ),
        failures: times('So many failures open the circuit.'),
      },
      default: { http_statuses: [500], failures: 3 },
      description: 'What opens the circuit.',
    },
    healthy: {
      type: 'object',
      properties: {
        http_statuses: statuses({ minimum: 200, maximum: 499 }, 200, 'Answers that are successes.'),
        successes: times('So many successes in a row make all failures forgotten.'),
      },
      default: { http_statuses: [200], successes: 3 },
      description: 'What makes failures forgotten.',
    },
  },
  required: ['break_response_code'],
} as const

export interface ApiBreakerConfig {
  readonly break_response_code: number
  readonly break_response_body?: string
  readonly break_response_headers?: readonly { readonly key: string; readonly value: string }[]
  readonly max_breaker_sec: number
  readonly unhealthy: { readonly http_statuses: readonly number[]; readonly failures: number }
  readonly healthy: { readonly http_statuses: readonly number[]; readonly successes: number }
}
