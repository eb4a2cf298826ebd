import { isIPv6 } from 'node:net'
import { hashHeaderKeySchema, hashVarsKeySchema } from '../model/schemas/hash-key.ts'
import type { HashOn, Upstream } from '../model/types.ts'
import { BALANCER_TYPES, findBalancer } from '../upstream/balancer/registry.ts'
import { readUpstream } from '../upstream/spec.ts'
import { checkCertificate, checkPrivateKey } from './check-pem.ts'
import { type CheckSteps, checkReference } from './check-steps.ts'

const UNBRACKETED = "invalid configuration: IPv6 address must be enclosed with '[' and ']'"

/** Before the schema: an IPv6 node without brackets. Takes any value. */
export function checkNodeAddresses(upstream: unknown): string | undefined {
  const nodes = member(upstream, 'nodes')
  if (typeof nodes !== 'object' || nodes === null) return undefined
  const addresses = Array.isArray(nodes) ? nodes.map((node) => member(node, 'host')) : Object.keys(nodes)
  return addresses.some(isUnbracketed) ? UNBRACKETED : undefined
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return (value as Record<string, unknown>)[name]
}

function isUnbracketed(address: unknown): boolean {
  if (typeof address !== 'string' || address.startsWith('[')) return false
  return isIPv6(address) || isIPv6(address.slice(0, Math.max(0, address.lastIndexOf(':'))))
}

/** What no schema says about an upstream that fits its schema, inline or not (contract §1.6, decisions 20). */
export function* checkUpstream(upstream: Upstream): CheckSteps {
  return (
    checkNodeAddresses(upstream) ??
    checkType(upstream) ??
    checkPorts(upstream) ??
    (yield* checkReference({ ...upstream.tls }, 'client_cert_id', 'ssls')) ??
    (yield* checkClientType(upstream)) ??
    checkRewrite(upstream) ??
    checkClientCertificate(upstream) ??
    checkHashKey(upstream) ??
    checkServable(upstream)
  )
}

function checkType({ type = 'roundrobin' }: Upstream): string | undefined {
  if (findBalancer(type)) return undefined
  return `invalid configuration: unknown balancer type "${type}"; use one of ${BALANCER_TYPES.join(', ')}`
}

function checkPorts({ nodes }: Upstream): string | undefined {
  if (nodes === undefined || Array.isArray(nodes)) return undefined
  for (const address of Object.keys(nodes)) {
    const text = /:(-?\d+)$/.exec(address)?.[1]
    const port = Number(text)
    if (text !== undefined && (port < 1 || port > 65535)) return `invalid port ${port}`
  }
  return undefined
}

function checkRewrite({ pass_host, upstream_host }: Upstream): string | undefined {
  if (pass_host !== 'rewrite' || upstream_host !== undefined) return undefined
  return "`upstream_host` can't be empty when `pass_host` is `rewrite`"
}

/** A certificate for clients of the gateway is none for the gateway's own use. */
function* checkClientType({ tls = {} }: Upstream): CheckSteps {
  const { client_cert_id: id } = tls
  if (id === undefined) return undefined
  const message = `failed to fetch ssl info by ssl id [${id}], wrong ssl type`
  const carries = { type: 'client' }
  return (yield { directory: 'ssls', id: String(id), message, carries }) ? undefined : message
}

function checkClientCertificate({ tls = {} }: Upstream): string | undefined {
  const { client_cert: certificate, client_key: key } = tls
  return (
    (certificate === undefined ? undefined : checkCertificate(certificate)) ??
    (key === undefined ? undefined : checkPrivateKey(key))
  )
}

/** Which keys can be hashed on; `consumer` needs none. */
const HASH_KEY_PATTERN: Readonly<Record<HashOn, string | undefined>> = {
  vars: hashVarsKeySchema.pattern,
  header: hashHeaderKeySchema.pattern,
  cookie: hashHeaderKeySchema.pattern,
  vars_combinations: undefined,
  consumer: undefined,
}

function checkHashKey({ type, hash_on = 'vars', key }: Upstream): string | undefined {
  if (type !== 'chash' || hash_on === 'consumer') return undefined
  if (key === undefined) return 'missing key'
  const pattern = HASH_KEY_PATTERN[hash_on]
  if (pattern === undefined || new RegExp(pattern).test(key)) return undefined
  return `invalid configuration: failed to match pattern "${pattern}" with "${key}"`
}

/** What the data path could not use must not be stored as if it could. */
function checkServable(upstream: Upstream): string | undefined {
  try {
    readUpstream(upstream)
    return undefined
  } catch (error) {
    return `invalid configuration: ${(error as Error).message}`
  }
}
