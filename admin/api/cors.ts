import type { Answer } from './answer.ts'

/** On every answer while `enable_admin_cors` is on (contract §1.1). */
export const CORS_HEADERS: Readonly<Record<string, string>> = {
  'access-control-allow-origin': '*',
  'access-control-allow-credentials': 'true',
  'access-control-expose-headers': '*',
  'access-control-max-age': '3600',
}

/** The answer to OPTIONS, whoever asks. */
export const PREFLIGHT: Answer = {
  status: 200,
  text: '',
  headers: {
    'access-control-allow-methods': 'POST, GET, PUT, OPTIONS, DELETE, PATCH',
    'access-control-allow-headers': '*',
    'content-length': '0',
    'content-type': 'text/plain; charset=utf-8',
  },
}
