import { dirname, resolve } from 'node:path'
import type { Settings, StoreSettings } from './settings.ts'

export interface StoreHints {
  /** Whether the file, the environment or a flag named the section `deployment.etcd`. */
  readonly namesEtcd: boolean
  /** Absolute; the file provider reads `apisix.yaml` beside it. */
  readonly configFile: string | undefined
  readonly workingDirectory: string
}

/**
 * Where configuration is kept (docs/reference/config.md, "Which store"): what `gatewright.store` says; else what the role's provider
 * says if it is yaml or json, which for a traditional node with an admin API is what is handed over there as a whole; else etcd if its
 * section is there or the role cannot do without; else the embedded store.
 */
export function chooseStore(settings: Omit<Settings, 'store'>, hints: StoreHints): StoreSettings {
  const { apisix, deployment, gatewright } = settings
  const { role } = deployment
  const provider = deployment[`role_${role}`].config_provider
  const embedded = {
    type: 'embedded',
    prefix: '/apisix',
    path: resolve(gatewright.data_dir, 'store'),
  } as const
  const memory = { type: 'memory', prefix: '/apisix' } as const
  const etcd = { type: 'etcd', prefix: deployment.etcd.prefix, etcd: deployment.etcd } as const
  if (gatewright.store !== 'auto') return { embedded, memory, etcd }[gatewright.store]
  if (provider !== 'etcd') {
    if (role === 'traditional' && apisix.enable_admin) return { type: 'configs', prefix: '' }
    const directory = hints.configFile ? dirname(hints.configFile) : hints.workingDirectory
    return {
      type: 'file',
      // Keys of configurations that come as a whole have none (contract §2.3).
      prefix: '',
      path: resolve(directory, `apisix.${provider}`),
      format: provider,
    }
  }
  return hints.namesEtcd || role !== 'traditional' ? etcd : embedded
}
