import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isSecretReference } from '../model/reference.ts'

/** Says in the words of contract §1.6 that a text is no PEM certificate; references to secrets are not looked into. */
export function checkCertificate(pem: string): string | undefined {
  const isReadable = parses(pem, (text) => new X509Certificate(text))
  return isReadable ? undefined : 'failed to parse cert: PEM_read_bio_X509_AUX() failed'
}

/** The same for a private key. */
export function checkPrivateKey(pem: string): string | undefined {
  return parses(pem, createPrivateKey) ? undefined : 'failed to parse key: PEM_read_bio_PrivateKey() failed'
}

function parses(pem: string, parse: (pem: string) => unknown): boolean {
  if (isSecretReference(pem)) return true
  try {
    parse(pem)
    return true
  } catch {
    // Why OpenSSL refused it is not told: the text could quote the key.
    return false
  }
}
