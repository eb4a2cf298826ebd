import { isSecretReference } from '../model/reference.ts'
import type { Ssl, SslClient } from '../model/types.ts'
import { checkCertificate, checkPrivateKey } from './check-pem.ts'
import { compileClientCheck, secureOptionsOf } from './server-certificate.ts'

/**
 * What no schema says about an ssl that fits its schema, in the order of contract §1.6. Of one that is stored, compiling finds out the
 * rest, without reading everything twice.
 */
export function checkSsl(ssl: Ssl, { isStored = false }: { isStored?: boolean }): string | undefined {
  if (isStored) return checkCounts(ssl)
  const { client, ...unguarded } = ssl
  return (
    checkPair(ssl.cert!, ssl.key!) ??
    checkCounts(ssl) ??
    checkFurtherPairs(ssl) ??
    checkClient(client) ??
    (refersToSecrets(unguarded) ? undefined : checkServable(() => secureOptionsOf(unguarded))) ??
    (client && checkServable(() => compileClientCheck(client)))
  )
}

/** Then what they stand for shows when it is compiled, and whether it belongs together. */
function refersToSecrets({ cert, key, certs = [], keys = [] }: Ssl): boolean {
  return [cert, key, ...certs, ...keys].some(isSecretReference)
}

function checkPair(certificate: string, key: string): string | undefined {
  const problem = checkCertificate(certificate)
  if (problem !== undefined) return problem
  // What APISIX has encrypted with a keyring that is not known here.
  if (!key.startsWith('---') && !isSecretReference(key)) return 'failed to decrypt previous encrypted key'
  return checkPrivateKey(key)
}

function checkCounts({ certs = [], keys = [] }: Ssl): string | undefined {
  return certs.length === keys.length ? undefined : 'mismatched number of certs and keys'
}

function checkFurtherPairs({ certs = [], keys = [] }: Ssl): string | undefined {
  for (const [index, certificate] of certs.entries()) {
    const problem = checkPair(certificate, keys[index]!)
    if (problem !== undefined) return `failed to handle cert-key pair[${index + 1}]: ${problem}`
  }
  return undefined
}

function checkClient(client: SslClient | undefined): string | undefined {
  const problem = client && checkCertificate(client.ca)
  return problem === undefined ? undefined : `failed to validate client_cert: ${problem}`
}

/** What no handshake could use must not be stored as if it could. */
function checkServable(compile: () => unknown): string | undefined {
  try {
    compile()
    return undefined
  } catch (error) {
    return `invalid configuration: ${(error as Error).message}`
  }
}
