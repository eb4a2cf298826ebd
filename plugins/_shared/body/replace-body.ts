import type { BodyFilter, Headers } from '../../../src/plugin/api.ts'

const DESCRIBE_THE_BODY = ['content-length', 'content-encoding', 'etag', 'last-modified']

/** Drops the headers that are no longer true once the body is another. */
export function forgetBody(headers: Headers): void {
  for (const name of DESCRIBE_THE_BODY) headers.remove(name)
}

/** Sends `body` and drops what comes. */
export function replaceBody(body: Uint8Array): BodyFilter {
  return {
    write: () => undefined,
    end: () => (body.length === 0 ? undefined : body),
  }
}
