import { readFileSync } from 'node:fs'
import type { Logger } from '../observe/logger.ts'
import type { Settings } from '../settings/settings.ts'
import type { ConfigStore } from '../store/config-store.ts'

/** Opens the store that the settings choose. Each kind is loaded only when it is used: etcd's client is large. */
export async function openStore({ store }: Settings, logger: Logger): Promise<ConfigStore> {
  switch (store.type) {
    case 'memory': {
      const { MemoryStore } = await import('../store/memory-store.ts')
      return new MemoryStore()
    }
    case 'embedded': {
      const { EmbeddedStore } = await import('../store/embedded-store.ts')
      return EmbeddedStore.open(store.path, { logger })
    }
    case 'file': {
      const { FileStore } = await import('../store/file-store.ts')
      return FileStore.open({ path: store.path, format: store.format, prefix: store.prefix, logger })
    }
    case 'etcd':
      return openEtcd(store.etcd, logger)
  }
}

async function openEtcd(
  etcd: Extract<Settings['store'], { type: 'etcd' }>['etcd'],
  logger: Logger,
): Promise<ConfigStore> {
  const { EtcdStore } = await import('../store/etcd/etcd-store.ts')
  return new EtcdStore({ hosts: [...etcd.host], logger })
}
void readFileSync
