import { isDeepStrictEqual } from 'node:util'
import type { Environment } from '../lib/env-variables.ts'
import type { BackendDeps, ManagerConfig, SecretBackend } from './backends/backend.ts'
import { BACKENDS } from './backends/backends.ts'
import { envSource } from './read-env.ts'
import { resolveReferences } from './resolve.ts'
import { SecretFailure } from './secret-failure.ts'

interface ManagerEntry {
  readonly config: ManagerConfig
  readonly lifetime: AbortController
  /** A text says why the manager cannot be used. */
  readonly backend: SecretBackend | string
}

export interface BackendTableDeps extends Omit<BackendDeps, 'lifetime'> {
  readonly env: Environment
}

/** The secret managers that are configured, by the id of their resource (`vault/1`). */
export class BackendTable {
  readonly #deps: BackendTableDeps
  readonly #managers = new Map<string, ManagerEntry>()

  constructor(deps: BackendTableDeps) {
    this.#deps = deps
  }

  /** Returns whether that changed anything. */
  set(id: string, config: ManagerConfig): boolean {
    const known = this.#managers.get(id)
    if (known !== undefined && isDeepStrictEqual(known.config, config)) return false
    known?.lifetime.abort()
    const lifetime = new AbortController()
    this.#managers.set(id, { config, lifetime, backend: this.#create(id, config, lifetime.signal) })
    return true
  }

  /** Returns whether it was there. */
  delete(id: string): boolean {
    this.#managers.get(id)?.lifetime.abort()
    return this.#managers.delete(id)
  }

  /** Throws a SecretFailure when the manager is not there or cannot be used. */
  find(id: string): SecretBackend {
    const kind = id.slice(0, id.indexOf('/'))
    if (!Object.hasOwn(BACKENDS, kind)) {
      const known = Object.keys(BACKENDS).join(', ')
      throw new SecretFailure(`the secret manager "${kind}" is not known; use one of ${known}`)
    }
    const backend = this.#managers.get(id)?.backend
    if (backend === undefined) {
      throw new SecretFailure(`there is no secrets resource "${id}"`, { isAbsent: true })
    }
    if (typeof backend === 'string') throw new SecretFailure(`secrets resource "${id}": ${backend}`)
    return backend
  }

  close(): void {
    for (const id of [...this.#managers.keys()]) this.delete(id)
  }

  #create(id: string, config: ManagerConfig, lifetime: AbortSignal): SecretBackend | string {
    const kind = id.slice(0, id.indexOf('/'))
    const create = Object.hasOwn(BACKENDS, kind) ? BACKENDS[kind] : undefined
    if (create === undefined) return 'its manager is not known'
    const { document, unresolved } = resolveReferences(config, envSource(this.#deps.env))
    const missing = unresolved[0]
    if (missing) return `"${missing.path}": ${missing.reason}`
    try {
      return create(document, { ...this.#deps, lifetime })
    } catch (error) {
      if (error instanceof SecretFailure) return error.message
      throw error
    }
  }
}
