import type { Logger } from '../observe/logger.ts'
import type { EtcdSettings, Settings } from '../settings/settings.ts'
import type { ConfigStore } from '../store/config-store.ts'

/** Opens the store that the settings choose. Each kind is loaded only when it is used: etcd's client is large. */
export async function openStore({ store }: Settings, logger: Logger): Promise<ConfigStore> {
  switch (store.type) {
    case 'memory': {
      const { MemoryStore } = await import('../store/memory-store.ts')
      return new MemoryStore({ logger })
    }
    case 'configs': {
      const { ConfigsStore } = await import('../store/configs-store.ts')
      return new ConfigsStore({ logger })
    }
    case 'embedded': {
      const { EmbeddedStore } = await import('../store/embedded-store.ts')
      return EmbeddedStore.open(store.path, { logger })
    }
    case 'file': {
      const { FileStore } = await import('../store/file-store.ts')
      return new FileStore({ path: store.path, prefix: store.prefix, logger })
    }
    case 'etcd':
      return openEtcd(store.etcd, logger)
  }
}

/** Longest time for one call; APISIX's 30 s would keep a client of the admin API waiting that long for its 503. */
const CALL_TIMEOUT_MS = 5000

/** A watch is given up after two of these without a sign of life: a member that hangs is left within 5 s, and none is asked much. */
const LIVENESS_INTERVAL_MS = 1500

async function openEtcd(etcd: EtcdSettings, logger: Logger): Promise<ConfigStore> {
  const { EtcdStore } = await import('../store/etcd/etcd-store.ts')
  const { host: hosts, user, password, tls, timeout } = etcd
  return new EtcdStore({
    hosts,
    tls,
    timeoutMs: Math.min(timeout * 1000, CALL_TIMEOUT_MS),
    livenessIntervalMs: LIVENESS_INTERVAL_MS,
    logger,
    ...(user !== undefined && { user }),
    ...(password !== undefined && { password }),
  })
}
