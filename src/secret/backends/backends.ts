import { createAws } from './aws.ts'
import type { CreateBackend } from './backend.ts'
import { createGcp } from './gcp.ts'
import { createVault } from './vault.ts'

/** The secret managers, by the first part of a secrets resource's id. */
export const BACKENDS: Readonly<Record<string, CreateBackend>> = {
  vault: createVault,
  aws: createAws,
  gcp: createGcp,
}
