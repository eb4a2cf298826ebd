import { type BodyFilter, type RequestContext, requestSlot } from '../../../src/plugin/api.ts'

const DESCRIBE_THE_BODY = ['content-length', 'content-encoding', 'etag', 'last-modified']

const announced = requestSlot<true>('change of the body')

/**
 * Says in `headerFilter` that the plugin will change the body of the response. Plugins that pack bodies look at it: what is packed can
 * no longer be changed.
 */
export function announceChange(context: RequestContext): void {
  context.set(announced, true)
}

/** The same for a body that becomes another: drops the headers that are no longer true of it. */
export function announceOtherBody(context: RequestContext): void {
  announceChange(context)
  for (const name of DESCRIBE_THE_BODY) context.response.headers.remove(name)
}

/** Whether a plugin has said that it changes the body. */
export function isChangeAnnounced(context: RequestContext): boolean {
  return context.get(announced) === true
}

/** Sends `body` and drops what comes. */
export function replaceBody(body: Uint8Array): BodyFilter {
  return {
    write: () => undefined,
    end: () => (body.length === 0 ? undefined : body),
  }
}
