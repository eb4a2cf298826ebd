import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
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
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    const isNew = !exists(path) && makeKeyFile(path)
    const key = readFileSync(path, 'utf8').trim()
    if (!/^[\x21-\x7e]{32,}$/.test(key)) {
      throw new SettingsError([
        `${path}: holds no key of 32 or more characters; delete it to have one generated`,
      ])
    }
    // A copy or a restored backup may have lost the mode; nobody else on the machine may read the key.
    chmodSync(path, 0o600)
    return { path, key, isNew }
  } catch (error) {
    if (error instanceof SettingsError) throw error
    throw new SettingsError([
      `gatewright.data_dir: the admin key cannot be kept in ${path}: ${(error as Error).message}`,
    ])
  }
}

function exists(path: string): boolean {
  try {
    closeSync(openSync(path, 'r'))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** Writes a whole key or nothing; false when another process was first, whose key then counts. */
function makeKeyFile(path: string): boolean {
  const draft = `${path}.${process.pid}`
  rmSync(draft, { force: true })
  const file = openSync(draft, 'wx', 0o600)
  try {
    writeSync(file, `${generateAdminKey()}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  try {
    return publish(draft, path)
  } finally {
    rmSync(draft, { force: true })
  }
}

function publish(draft: string, path: string): boolean {
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error
    // A file system without hard links: the race between two first starts is lost there, atomicity is not.
    renameSync(draft, path)
    return true
  }
}
