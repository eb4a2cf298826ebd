import type { Response } from '../plugin/context/context.ts'
import type { Exchange } from './exchange.ts'

/** Says which plugins had a hand in a response, where that is switched on. After the filters, so that it names them too. */
export function addDebugHeaders({ context, options }: Exchange, { headers, status, source }: Response): void {
  const { trace } = context
  if (trace === undefined) return
  const { pluginsHeader, rejectedByHeader } = options.debug
  if (pluginsHeader) headers.set('Apisix-Plugins', trace.pluginsHeader())
  const { answeredBy } = trace
  if (rejectedByHeader && source === 'gateway' && status >= 400 && answeredBy !== undefined) {
    headers.set('X-Gatewright-Rejected-By', answeredBy)
  }
}
