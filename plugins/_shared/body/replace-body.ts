import { type BodyFilter, type RequestContext, requestSlot } from '../../../src/plugin/api.ts'

const DESCRIBE_THE_BODY = ['content-length', 'content-encoding', 'etag', 'last-modified']

const announced = requestSlot<true>('another body')

/**
 * Says in `headerFilter` that the body of the response will be another, and drops the headers that are no longer true of it. Plugins
 * that pack bodies look at it: what is packed can no longer be changed.
 */
export function announceOtherBody(context: RequestContext): void {
  context.set(announced, true)
  for (const name of DESCRIBE_THE_BODY) context.response.headers.remove(name)
}

/** Whether a plugin has said that it changes the body. */
export function isOtherBodyAnnounced(context: RequestContext): boolean {
  return context.get(announced) === true
}

/** Sends `body` and drops what comes. */
export function replaceBody(body: Uint8Array): BodyFilter {
  return {
    write: () => undefined,
    end: () => (body.length === 0 ? undefined : body),
  }
}
