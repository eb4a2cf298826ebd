import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { keepKeyFile } from '../lib/key-file.ts'
import type { AdminKey, Settings } from './settings.ts'
import { SettingsError } from './settings-error.ts'

/** The settings with the keys that the admin API shall accept, and what to tell the operator about a generated one. */
export interface ResolvedAdminKey {
  readonly settings: Settings
  readonly generated?: GeneratedKey
}

export interface GeneratedKey {
  /** Absolute; mode 0600. */
  readonly path: string
  readonly key: string
  /** Whether this start made it: only then it is printed. */
  readonly isNew: boolean
}

/** A fresh key: 48 hexadecimal characters from the system's random source. */
export function generateAdminKey(): string {
  return randomBytes(24).toString('hex')
}

/**
 * Where the admin API asks for a key and none is configured, brings the generated one in: made at the first start and kept in
 * `<data_dir>/admin.key`. Throws {@link SettingsError} when the file cannot be read, made or used.
 */
export function resolveAdminKey(settings: Settings): ResolvedAdminKey {
  const { admin } = settings.deployment
  const isNeeded = settings.apisix.enable_admin && admin.admin_key_required && admin.admin_key.length === 0
  if (!isNeeded) return { settings }
  const generated = readOrMakeKey(settings.gatewright.data_dir)
  const key: AdminKey = Object.freeze({ name: 'generated', key: generated.key, role: 'admin' })
  const keyed = Object.freeze({ ...admin, admin_key: Object.freeze([key]) })
  const deployment = Object.freeze({ ...settings.deployment, admin: keyed })
  return { settings: Object.freeze({ ...settings, deployment }), generated }
}

function readOrMakeKey(dataDir: string): GeneratedKey {
  const path = join(dataDir, 'admin.key')
  try {
    const { text: key, isNew } = keepKeyFile(path, generateAdminKey)
    if (!/^[\x21-\x7e]{32,}$/.test(key)) {
      throw new SettingsError([
        `${path}: holds no key of 32 or more characters; delete it to have one generated`,
      ])
    }
    return { path, key, isNew }
  } catch (error) {
    if (error instanceof SettingsError) throw error
    throw new SettingsError([
      `gatewright.data_dir: the admin key cannot be kept in ${path}: ${(error as Error).message}`,
    ])
  }
}
