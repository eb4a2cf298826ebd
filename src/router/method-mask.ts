/** The methods a route can name (contract §3.2); a bit each. */
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE', 'PURGE']
const BITS: ReadonlyMap<string, number> = new Map(METHODS.map((method, index) => [method, 1 << index]))
/** Set for methods outside the list, which no request can have: the route stays restricted. */
const UNKNOWN = 1 << METHODS.length

/** The bit of a request's method, 0 for one that only unrestricted routes take. */
export function methodBit(method: string): number {
  return BITS.get(method) ?? 0
}

/** The bits of a route's methods; 0 means any. */
export function methodMaskOf(methods: readonly string[]): number {
  return methods.reduce((mask, method) => mask | (BITS.get(method) ?? UNKNOWN), 0)
}
