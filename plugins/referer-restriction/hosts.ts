/** Whether a host, in lower case and without port, is one of a list. */
export type IsListed = (host: string) => boolean

/** Compiles names and `*`-patterns: `*.a.com` is every name that ends in `.a.com`, `*` is any. Case does not count. */
export function compileHosts(hosts: readonly string[]): IsListed {
  const names = new Set<string>()
  const suffixes = new Set<string>()
  for (const host of hosts) {
    const lower = host.toLowerCase()
    if (lower.startsWith('*')) suffixes.add(lower.slice(1))
    else names.add(lower)
  }
  const endings = [...suffixes]
  return (host) => names.has(host) || endings.some((ending) => host.endsWith(ending))
}
