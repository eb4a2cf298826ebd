import type { Ssl } from '../model/types.ts'
import type { ClientCertificate } from '../upstream/client-certificates.ts'
import { compileServerCertificate, type ServerCertificate, secureOptionsOf } from './server-certificate.ts'

/** An ssl is one or the other; a disabled one is neither. */
export interface CompiledSsl {
  /** Shown to clients. */
  readonly server: ServerCertificate | undefined
  /** Shown to nodes by upstreams that name its id. */
  readonly client: ClientCertificate | undefined
}

/** Throws when the certificates cannot be used. */
export function compileSsl(id: string, ssl: Ssl): CompiledSsl {
  if (ssl.status === 0) return { server: undefined, client: undefined }
  if (ssl.type === 'client') return { server: undefined, client: secureOptionsOf(ssl) }
  return { server: compileServerCertificate(id, ssl), client: undefined }
}
