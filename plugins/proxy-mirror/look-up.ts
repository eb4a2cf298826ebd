import { type LookupAddress, lookup as lookUp } from 'node:dns'
import type { LookupFunction } from 'node:net'

const KEPT_MS = 10_000

type Found = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void

/**
 * A `lookup` for one host name that asks the system once at a time and keeps the answer, a failure too, for ten seconds: the system
 * answers on a few threads that files and compression need as well, and a slow DNS must not take them all.
 */
export function createLookUp(monotonicMs: () => number): LookupFunction {
  const waiting: Found[] = []
  let kept: { readonly error: NodeJS.ErrnoException | null; readonly addresses: LookupAddress[] } | undefined
  let keptUntilMs = 0
  const ask = (hostname: string, found: Found) => {
    if (kept && monotonicMs() < keptUntilMs) {
      const { error, addresses } = kept
      process.nextTick(found, error, addresses)
      return
    }
    waiting.push(found)
    if (waiting.length > 1) return
    lookUp(hostname, { all: true }, (error, addresses) => {
      kept = { error, addresses: addresses ?? [] }
      keptUntilMs = monotonicMs() + KEPT_MS
      for (const one of waiting.splice(0)) one(error, kept.addresses)
    })
  }
  return (hostname, options, callback) => {
    ask(hostname, (error, addresses) => {
      if (error || options.all) callback(error, addresses)
      else callback(null, addresses[0]!.address, addresses[0]!.family)
    })
  }
}
