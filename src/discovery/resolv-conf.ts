import { isIP } from 'node:net'

/** What `resolv.conf` says about names and servers. */
export interface ResolvConf {
  readonly servers: readonly string[]
  /** Suffixes to try, without dots around them. */
  readonly search: readonly string[]
  /** A name with at least so many dots is tried as it is first. */
  readonly ndots: number
}

/** resolv.conf(5): more than this is not looked at. */
const MOST_SEARCH = 6

/** Reads text in the form of resolv.conf(5); what it does not know is passed over. The last `search` or `domain` wins. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = []
  let search: string[] = []
  let ndots = 1
  for (const line of text.split('\n')) {
    const [word, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/)
    if (word === 'nameserver' && values[0] !== undefined && isIP(values[0].replace(/%.*/, '')) !== 0) {
      servers.push(values[0])
    } else if (word === 'search' || word === 'domain') {
      search = values.map((value) => value.replace(/^\.|\.$/g, '')).filter((value) => value !== '')
    } else if (word === 'options') {
      const found = values.map((value) => /^ndots:(\d+)$/.exec(value)?.[1]).findLast((value) => value)
      if (found !== undefined) ndots = Math.min(Number(found), 15)
    }
  }
  return { servers, search: search.slice(0, MOST_SEARCH), ndots }
}

/** The names to ask for, in order. A trailing dot says that the name is complete. */
export function searchNames(name: string, { search, ndots }: Pick<ResolvConf, 'search' | 'ndots'>): string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)]
  const extended = search.map((suffix) => `${name}.${suffix}`)
  const dots = name.split('.').length - 1
  return dots >= ndots ? [name, ...extended] : [...extended, name]
}
