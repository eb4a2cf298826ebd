import { isDeepStrictEqual } from 'node:util'
import { isObject } from '../model/schema-value.ts'
import type { Ssl, SslClient } from '../model/types.ts'
import { resolveReferences } from '../secret/resolve.ts'
import type { SecretSource } from '../secret/secret-source.ts'
import { canonicalServerName, type ServerCertificate, trustOf } from './server-certificate.ts'

/** What serves the names of a stored ssl of type server that cannot be used. */
export interface StandIns {
  /** Its last good version, and names that refuse every handshake. */
  readonly certificates: readonly ServerCertificate[]
  /** Whether the last good version is among them. */
  readonly isServing: boolean
  /** What of it people should know, beside the reason: which names refuse. Absent when none do. */
  readonly consequence: string | undefined
}

/** A stored ssl that cannot be used, as far as it can be read. */
export interface RefusedSsl {
  readonly document: Readonly<Record<string, unknown>>
  /** Why it cannot be used. */
  readonly reason: string
  /** The text of `client.ca`, what it refers to included; `undefined` when there is none. */
  readonly authority: unknown
}

/** The last good version of an ssl: its document, and what it is shown as; absent as long as it is disabled. */
export interface LastGoodSsl {
  readonly document: Ssl
  readonly certificate: ServerCertificate | undefined
}

const MOST_NAMES_TOLD = 5

/** Reads it from what is stored; `undefined` when that is no JSON object. */
export function readRefused(stored: string, reason: string, secrets: SecretSource): RefusedSsl | undefined {
  try {
    const document: unknown = JSON.parse(stored)
    return isObject(document) ? { document, reason, authority: authorityOf(document, secrets) } : undefined
  } catch {
    // That it is no JSON is the reason.
    return undefined
  }
}

function authorityOf({ client }: Readonly<Record<string, unknown>>, secrets: SecretSource): unknown {
  if (!isObject(client)) return undefined
  const { document, unresolved } = resolveReferences({ ca: client['ca'] }, secrets)
  return unresolved.length > 0 ? undefined : document.ca
}

/**
 * Decides who stands in for a stored ssl that cannot be used. One that asks its clients for certificates must not be served by who does
 * not ask, or asks otherwise: unless the last good version asks in the very same way, its names and those of that version refuse, so
 * that no wildcard steps in either; else only the names that are new refuse. `undefined` when the document asks for none: then
 * whatever serves goes on.
 */
export function standInsFor(
  id: string,
  { document, reason, authority }: RefusedSsl,
  lastGood: LastGoodSsl | undefined,
): StandIns | undefined {
  if (!asksForCertificates(document)) return undefined
  const shown = lastGood?.certificate
  const isServing =
    shown !== undefined &&
    isSameCheck(document['client'], lastGood!.document.client) &&
    // Behind one reference there may be another authority by now, or none any more.
    shown.clientCheck?.trust === trustOf({ ...lastGood!.document.client, ca: String(authority) })
  const names = namesOf(document)
  const refusing = isServing
    ? names.filter((name) => !shown.names.includes(name))
    : [...new Set([...names, ...(shown?.names ?? [])])]
  const certificates = isServing ? [shown] : []
  if (refusing.length === 0) return { certificates, isServing, consequence: undefined }
  certificates.push({ ...REFUSING, id, names: refusing, refusal: reason })
  const consequence = `it asks clients for certificates, so handshakes for ${shortList(refusing)} are refused until it can be used`
  return { certificates, isServing, consequence }
}

function shortList(names: readonly string[]): string {
  const rest = names.length - MOST_NAMES_TOLD
  const told = names.slice(0, MOST_NAMES_TOLD).join(', ')
  return rest > 0 ? `${told} and ${rest} more` : told
}

function asksForCertificates(document: Readonly<Record<string, unknown>>): boolean {
  return Object.hasOwn(document, 'client') && document['type'] !== 'client' && document['status'] !== 0
}

function isSameCheck(one: unknown, other: SslClient | undefined): boolean {
  // The last good version has been given the schema's default.
  return (
    isObject(one) && other !== undefined && isDeepStrictEqual({ depth: 1, ...one }, { depth: 1, ...other })
  )
}

function namesOf({ sni, snis }: Readonly<Record<string, unknown>>): string[] {
  const names = [sni, ...(Array.isArray(snis) ? snis : [])].filter((name) => typeof name === 'string')
  return [...new Set(names.map(canonicalServerName))]
}

/** Nothing proves anything to it: connections from before are not served for these names either. */
const REFUSING: Omit<ServerCertificate, 'id' | 'names' | 'refusal'> = {
  options: { cert: [], key: [] },
  protocols: undefined,
  clientCheck: { trust: '', depth: 0, authorities: [], hasFreePaths: false, isFree: () => false },
}
