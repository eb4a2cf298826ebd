/** A certificate that the gateway shows to nodes, PEM; `cert[i]` belongs to `key[i]`. */
export interface ClientCertificate {
  readonly cert: string[]
  readonly key: string[]
}

/**
 * Client certificates by the id of their ssl, as published: what is written here is what the next connection shows. Written by the
 * publisher only.
 */
export type ClientCertificates = Map<string, ClientCertificate>
