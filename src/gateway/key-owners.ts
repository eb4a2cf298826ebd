import type { Publisher } from '../snapshot/publisher.ts'

/** Who is recognised by a key of an authentication plugin; `admin/api` asks before it lets a second one have it. */
export interface KeyOwners {
  owners(
    plugin: string,
    key: string,
  ): readonly { readonly consumer: string; readonly credential: string | undefined }[]
}

/** As of the snapshot that requests meet. */
export function keyOwners(publisher: Publisher): KeyOwners {
  return {
    owners: (plugin, key) =>
      publisher.current.consumers
        .owners(plugin, key)
        .map(({ view }) => ({ consumer: view.name, credential: view.credentialId })),
  }
}
