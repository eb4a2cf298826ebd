import { Readable } from 'node:stream'
import type { Response } from '../plugin/context/context.ts'
import type { BodyFilter, BodyStream } from '../plugin/definition.ts'
import { changesLength } from '../proxy/body-filters.ts'
import { BodyPipeline } from '../proxy/body-pipeline.ts'
import type { Exchange } from '../proxy/exchange.ts'
import { writeHead } from '../proxy/write-head.ts'

interface StreamedReply {
  readonly made: Response
  /** Owned by the reply: destroyed when the response ends, however it ends. */
  readonly body: Uint8Array | Readable
  readonly filters: readonly (BodyFilter | BodyStream)[]
  readonly hasBody: boolean
}

/** Writes an answer of the gateway's own whose body comes as a stream, or goes through one. */
export function streamReply(exchange: Exchange, { made, body, filters, hasBody }: StreamedReply): void {
  const { response, context } = exchange
  const stream = body instanceof Readable ? body : undefined
  if (!hasBody || filters.some(changesLength)) made.headers.remove('content-length')
  writeHead(exchange, made)
  if (!hasBody || context.method === 'HEAD') {
    stream?.destroy()
    response.end()
    return
  }
  // A stream that is shorter or longer than it was said to be must not shift the next response on the connection.
  response.strictContentLength = true
  const pipeline = new BodyPipeline(
    filters,
    { resume: () => stream?.resume() },
    {
      write(bytes) {
        context.stats.responseBodyBytes += bytes.length
        if (response.write(bytes)) return true
        response.once('drain', () => pipeline.resume())
        return false
      },
      end: () => void response.end(),
      fail: (error) => exchange.crash(error),
    },
  )
  response.once('close', () => {
    stream?.destroy()
    pipeline.destroy()
  })
  if (stream) pump(stream, pipeline, exchange)
  else {
    pipeline.write(body as Uint8Array)
    pipeline.end()
  }
}

function pump(stream: Readable, pipeline: BodyPipeline, exchange: Exchange): void {
  const guarded = (work: () => void) => {
    try {
      work()
    } catch (error) {
      exchange.crash(error)
    }
  }
  stream.on('data', (chunk: Uint8Array) =>
    guarded(() => {
      if (!pipeline.write(chunk)) stream.pause()
    }),
  )
  stream.on('end', () => guarded(() => pipeline.end()))
  stream.on('error', (error) => exchange.crash(error))
}
