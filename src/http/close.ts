import type { Context } from '../plugin/context/context.ts'
import { Response } from '../plugin/context/context.ts'
import { HeaderList } from '../plugin/context/header-list.ts'
import { runLog } from '../plugin/run.ts'
import type { Exchange } from '../proxy/exchange.ts'

/** Told of every request once, after its response ended; must not throw. */
export type RequestObserver = (context: Context) => void

/** nginx's word for a client that left before there was an answer. */
const CLIENT_CLOSED_REQUEST = 499

/** Ends an exchange: exactly once, however it ended. Gives up an attempt that is still under way. Throws only what an observer throws. */
export function closeExchange(exchange: Exchange, observers: readonly RequestObserver[]): void {
  if (exchange.isOver) return
  exchange.isOver = true
  exchange.attempts?.abort()
  const { context, globalChain, chain, report, body } = exchange
  context.end()
  context.stats.endedAt = performance.now()
  // A tunnel has counted its own.
  if (body) context.stats.requestBodyBytes += body.bytesRead
  body?.discard()
  if (!context.hasResponse) {
    context.beginResponse(new Response(CLIENT_CLOSED_REQUEST, new HeaderList(), 'gateway'))
  }
  runLog(globalChain.log, context, report)
  runLog(chain.log, context, report)
  for (const observe of observers) observe(context)
}
