import type { ServerCertificate } from './server-certificate.ts'

/** How the certificates of a snapshot differ from those of the one before. */
export interface CertificateChanges {
  readonly removed: readonly ServerCertificate[]
  readonly added: readonly ServerCertificate[]
}

/** What each ssl shows to clients, and what has changed about it since changes were last taken. */
export class ShownCertificates {
  readonly #shown = new Map<string, readonly ServerCertificate[]>()
  #removed = new Set<ServerCertificate>()
  #added = new Set<ServerCertificate>()

  /** From now on the ssl shows these; none when the list is empty. */
  show(id: string, certificates: readonly ServerCertificate[]): void {
    for (const certificate of this.#shown.get(id) ?? []) {
      if (!this.#added.delete(certificate)) this.#removed.add(certificate)
    }
    for (const certificate of certificates) {
      if (!this.#removed.delete(certificate)) this.#added.add(certificate)
    }
    if (certificates.length > 0) this.#shown.set(id, certificates)
    else this.#shown.delete(id)
  }

  /** The changes since this was last called; absent when there are none. */
  takeChanges(): CertificateChanges | undefined {
    const [removed, added] = [[...this.#removed], [...this.#added]]
    this.#removed = new Set()
    this.#added = new Set()
    return removed.length + added.length > 0 ? { removed, added } : undefined
  }
}
