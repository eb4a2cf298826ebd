/** The resource kinds, named as their etcd directories (contract §2.1). The list is the order of dependency: what comes first is referred to by what comes later. */
export const KINDS = [
  'plugin_metadata',
  'secrets',
  'ssls',
  'protos',
  'upstreams',
  'services',
  'plugin_configs',
  'consumer_groups',
  'credentials',
  'consumers',
  'global_rules',
  'routes',
  'stream_routes',
] as const

export type Kind = (typeof KINDS)[number]

/** The singular word that APISIX's messages use for a kind: "missing route id" (contract §1.2). */
export const KIND_WORD: Readonly<Record<Kind, string>> = {
  plugin_metadata: 'plugin_metadata',
  secrets: 'secret',
  ssls: 'ssl',
  protos: 'proto',
  upstreams: 'upstream',
  services: 'service',
  plugin_configs: 'plugin config',
  consumer_groups: 'consumer group',
  credentials: 'credential',
  consumers: 'consumer',
  global_rules: 'global rule',
  routes: 'route',
  stream_routes: 'stream route',
}

export function isKind(name: string): name is Kind {
  return (KINDS as readonly string[]).includes(name)
}

/**
 * Which resource a thing belongs to. The id is the last part of the store's key; of a credential it is
 * `<consumer>/credentials/<id>`, of a secret `<manager>/<id>` (contract §2.1).
 */
export interface Ref {
  readonly kind: Kind
  readonly id: string
}
