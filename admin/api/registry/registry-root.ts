/** What every path of the registry begins with. */
export const REGISTRY_ROOT = '/apisix/registry'
