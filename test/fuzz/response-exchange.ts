import type { MutatedResponse } from './response-mutations.ts'
import { readResponse } from './strict-response.ts'

/** What a client saw of a mutated response and of the sound one asked for behind it. */
export interface Answer {
  /** `aborted`: no whole response came. `garbage`: what came is not HTTP. */
  readonly first: { readonly status: number; readonly body: string } | 'aborted' | 'garbage'
  /** `sound`: the right one, or an error of the proxy. `none`: the connection ended. `wrong`: anything else, so the client was led astray. */
  readonly second: 'sound' | 'none' | 'wrong'
  /** The node was asked again over a connection on which something else could come. */
  readonly isReusedAfterFault: boolean
}

/** One response through Gatewright and another proxy. */
export interface Exchange {
  readonly other: string
  readonly method: string
  readonly response: MutatedResponse
  readonly ours: Answer
  readonly theirs: Answer
}

/** Reads what came until the end of the connection. */
export function readAnswer(text: string, method: string, isReusedAfterFault: boolean): Answer {
  const read = readResponse(text, { method, isClosed: true })
  if (read === 'fault') return { first: 'garbage', second: 'none', isReusedAfterFault }
  if (read === 'incomplete') return { first: 'aborted', second: 'none', isReusedAfterFault }
  const { status, body, end } = read
  return { first: { status, body }, second: readSecond(text.slice(end)), isReusedAfterFault }
}

function readSecond(text: string): Answer['second'] {
  if (text === '') return 'none'
  const read = readResponse(text, { method: 'GET', isClosed: true })
  if (typeof read === 'string' || read.end < text.length) return 'wrong'
  return (read.status === 200 && read.body === 'next') || read.status >= 500 ? 'sound' : 'wrong'
}

/** Whether the proxy answered itself, or broke off. */
export function isRefusal({ first }: Answer): boolean {
  return typeof first === 'string' || first.status === 502 || first.status === 504
}
