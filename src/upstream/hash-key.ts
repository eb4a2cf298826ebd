import { compileTemplate } from '../lib/template.ts'
import type { UpstreamSpec } from './spec.ts'

/** Where a hash key is read from; a request context is one. */
export interface HashSource {
  readonly remoteAddr: string
  var(name: string): unknown
}

/** The value to hash on; without one, the client's address (contract §5.3). */
export type HashKey = (source: HashSource) => string

type Read = (key: string) => (source: HashSource) => unknown

const READ: Readonly<Record<UpstreamSpec['hashOn'], Read>> = {
  vars: (key) => (source) => source.var(key),
  header: (key) => (source) => source.var(`http_${key}`),
  cookie: (key) => (source) => source.var(`cookie_${key}`),
  consumer: () => (source) => source.var('consumer_name'),
  vars_combinations: (key) => {
    const template = compileTemplate(key)
    return (source) => template.renderResolved(source)
  },
}

export function compileHashKey(spec: Pick<UpstreamSpec, 'hashOn' | 'hashKey'>): HashKey {
  if (spec.hashOn === 'vars' && spec.hashKey === undefined) return clientAddress
  const read = READ[spec.hashOn](spec.hashKey ?? '')
  return (source) => {
    const value = read(source)
    return value === undefined || value === '' ? source.remoteAddr : String(value)
  }
}

/** Shared by all upstreams that do not hash on anything. */
const clientAddress: HashKey = (source) => source.remoteAddr
