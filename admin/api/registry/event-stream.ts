import type { FastifyReply } from 'fastify'
import type { Change } from '../../../src/registry/change-log.ts'
import { RegistryError } from '../../../src/registry/registry-error.ts'
import type { RegistryView } from '../../../src/registry/view.ts'

/** Longest silence on a stream; a comment then says that it lives. */
const SILENCE_MS = 15_000
/** A client that lets this much pile up is cut; it resumes where it was. */
const MOST_BUFFERED = 1024 * 1024

/** The open event streams of one gateway. */
export class EventStreams {
  readonly #view: RegistryView
  readonly #open = new Set<() => void>()

  constructor(view: RegistryView) {
    this.#view = view
  }

  /** Streams what happened after `since` and happens from now on. Throws before it answers when that is not known any more. */
  start(reply: FastifyReply, since: number | undefined): void {
    const { changes } = this.#view
    const missed = since === undefined ? [] : changes.since(since)
    if (!missed) {
      throw new RegistryError(
        'EVENTS_GONE',
        `what came after revision ${since} is not kept here; read the list and go on from revision ${changes.revision}`,
        { details: { revision: changes.revision } },
      )
    }
    reply.hijack()
    const { raw } = reply
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) raw.setHeader(name, value)
    }
    raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    raw.write(`: revision ${changes.revision}\n\n`)
    if (missed.length > 0) raw.write(textOf(missed))
    const unsubscribe = changes.subscribe((news) => {
      raw.write(textOf(news))
      if (raw.writableLength > MOST_BUFFERED) raw.destroy()
    })
    const pulse = setInterval(() => raw.write(': \n\n'), SILENCE_MS)
    const end = () => raw.end()
    this.#open.add(end)
    raw.on('error', () => raw.destroy())
    raw.once('close', () => {
      unsubscribe()
      clearInterval(pulse)
      this.#open.delete(end)
    })
  }

  /** Ends them all, so that the listener can close. */
  close(): void {
    for (const end of [...this.#open]) end()
  }
}

function textOf(changes: readonly Change[]): string {
  return changes
    .map(({ revision, type, data }) => {
      const text = JSON.stringify({ revision, ...data })
      return `id: ${revision}\nevent: ${type}\ndata: ${text}\n\n`
    })
    .join('')
}
