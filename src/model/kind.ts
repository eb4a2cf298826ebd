/** The resource kinds, named as their etcd directories (contract §2.1). The list is the order of dependency: what comes first is referred to by what comes later. */
export const KINDS = [
  'plugin_metadata',
  'ssls',
  'upstreams',
  'services',
  'plugin_configs',
  'consumers',
  'global_rules',
  'routes',
] as const

export type Kind = (typeof KINDS)[number]

/** The singular word that APISIX's messages use for a kind: "missing route id" (contract §1.2). */
export const KIND_WORD: Readonly<Record<Kind, string>> = {
  plugin_metadata: 'plugin_metadata',
  ssls: 'ssl',
  upstreams: 'upstream',
  services: 'service',
  plugin_configs: 'plugin config',
  consumers: 'consumer',
  global_rules: 'global rule',
  routes: 'route',
}

export function isKind(name: string): name is Kind {
  return (KINDS as readonly string[]).includes(name)
}

/** Which resource a thing belongs to. */
export interface Ref {
  readonly kind: Kind
  readonly id: string
}
