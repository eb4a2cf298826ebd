import { BACKGROUND_CLOCK } from '../lib/clock.ts'
import type { Logger } from '../observe/logger.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type { PluginRegistry } from '../plugin/registry.ts'
import { decryptDocument } from '../secret/encrypted-fields.ts'
import type { FieldCipher } from '../secret/field-cipher.ts'
import { createHttpFetch } from '../secret/http-fetch.ts'
import { openFieldCipher } from '../secret/open-field-cipher.ts'
import { SecretCache } from '../secret/secret-cache.ts'
import type { SecretStatus } from '../secret/secret-source.ts'
import type { Settings } from '../settings/settings.ts'
import type { SecretKeeper } from '../snapshot/secret-links.ts'
import type { DecryptDocument } from '../snapshot/stored-document.ts'
import type { ConfigStore } from '../store/config-store.ts'
import type { RelayedSecrets } from './relayed-secrets.ts'
import { SealedStore } from './sealed-store.ts'
import { readTrusted } from './trusted-authorities.ts'

/** Secrets of one gateway: those kept elsewhere, and those encrypted in the store. */
export interface GatewaySecrets {
  readonly cache: SecretKeeper & { status(): SecretStatus[]; close(): void }
  readonly decrypt: DecryptDocument
  /** The store for those who write configuration. */
  sealed(store: ConfigStore): ConfigStore
  /** Who is told when answers change; set before anything is asked. */
  listen(listener: (references: ReadonlySet<string>) => void): void
}

interface Surroundings {
  readonly plugins: PluginRegistry
  readonly logger: Logger
  readonly metrics: MetricRegistry
  /** In a worker: what the primary knows. */
  readonly relayed: RelayedSecrets | undefined
}

/** Stores whose content this gateway writes and others may read; the rest holds what a person or a program wrote as a whole. */
const ENCRYPTED_STORES: readonly string[] = ['embedded', 'etcd']

/** Throws an Error for people when a key or a file that the settings name cannot be used. */
export function openSecrets(settings: Settings, surroundings: Surroundings): GatewaySecrets {
  const { plugins, logger, relayed } = surroundings
  const listeners: ((references: ReadonlySet<string>) => void)[] = []
  const onChange = (references: ReadonlySet<string>): void => {
    for (const listener of listeners) listener(references)
  }
  relayed?.listen(onChange)
  const isEncrypted = ENCRYPTED_STORES.includes(settings.store.type)
  const cipher = cipherOf(settings)
  const rules = {
    cipher,
    secretFieldsOf: (name: string) => plugins.get(name)?.secretFields ?? [],
    hiddenFieldsOf: (name: string) => plugins.get(name)?.hiddenFields ?? [],
    prefix: settings.store.prefix,
    secretPlugins: () =>
      plugins
        .all()
        .filter(({ secretFields, hiddenFields }) => secretFields ?? hiddenFields)
        .map(({ name }) => name),
  }
  if (isEncrypted) warnOfPlainText(settings, cipher, logger)
  return {
    cache: relayed ?? createCache(settings, surroundings, onChange),
    decrypt: (ref, document) => decryptDocument(ref, document, { ...rules, onUnreadable }),
    sealed: (store) => (isEncrypted ? new SealedStore(store, rules) : store),
    listen: (listener) => void listeners.push(listener),
  }
}

function createCache(
  { apisix: { lru, ssl } }: Settings,
  { logger, metrics }: Surroundings,
  onChange: (references: ReadonlySet<string>) => void,
): SecretCache {
  const { ttl, neg_ttl, count, neg_count } = lru.secret
  const trustedCertificates = readTrusted(ssl.ssl_trusted_certificate)
  return new SecretCache({
    env: process.env,
    fetch: createHttpFetch(trustedCertificates === undefined ? {} : { trustedCertificates }),
    clock: BACKGROUND_CLOCK,
    logger,
    metrics,
    ttlMs: ttl * 1000,
    negativeTtlMs: neg_ttl * 1000,
    count,
    negativeCount: neg_count,
    onChange,
  })
}

function cipherOf({ apisix, gatewright, store }: Settings): FieldCipher {
  const { enable_encrypt_fields: isEnabled, keyring } = apisix.data_encryption
  return openFieldCipher({
    isEnabled,
    keyring,
    dataDir: gatewright.data_dir,
    isOwnStore: store.type === 'embedded',
  })
}

/** Using the text as it is would take what somebody encrypted for the secret itself. */
function onUnreadable(path: string): never {
  throw new Error(
    `${path} was encrypted with the generated key of another node; write it again here, or give all nodes the same apisix.data_encryption.keyring`,
  )
}

function warnOfPlainText({ apisix }: Settings, cipher: FieldCipher, logger: Logger): void {
  if (cipher.writes !== 'plain' || !apisix.data_encryption.enable_encrypt_fields) return
  logger.warn(
    'secret fields are stored as plain text: several nodes share the store, and apisix.data_encryption.keyring names no key for them',
  )
}
