import { readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'

/** Addresses by name, in lower case, in the order of the file. */
export type HostsTable = ReadonlyMap<string, readonly string[]>

/** Reads text in the form of `/etc/hosts`; lines that are not in it are passed over. */
export function parseHosts(text: string): HostsTable {
  const table = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (isIP(address) === 0) continue
    for (const name of names) {
      const key = name.toLowerCase()
      const known = table.get(key)
      if (!known) table.set(key, [address])
      else if (!known.includes(address)) known.push(address)
    }
  }
  return table
}

/**
 * A hosts file that is read again when it has changed. A file that is missing or cannot be read has no names. Reads are synchronous:
 * they happen when configuration is compiled and at refreshes, never for a request, and the file is small and local.
 */
export class HostsFile {
  readonly #path: string
  #stamp = ''
  #table: HostsTable = new Map()

  constructor(path: string) {
    this.#path = path
  }

  /** The addresses of a name, v4 before v6; `undefined` when the file does not know it. */
  find(name: string): readonly string[] | undefined {
    this.#readAgain()
    const found = this.#table.get(name.toLowerCase())
    if (!found) return undefined
    const v4 = found.filter((address) => isIP(address) === 4)
    return v4.length > 0 ? v4 : found
  }

  #readAgain(): void {
    const stamp = this.#stampNow()
    if (stamp === this.#stamp) return
    this.#stamp = stamp
    this.#table = stamp === MISSING ? new Map() : parseHosts(readText(this.#path))
  }

  #stampNow(): string {
    const facts = statSync(this.#path, { throwIfNoEntry: false })
    return facts?.isFile() ? `${facts.mtimeMs} ${facts.size} ${facts.ino}` : MISSING
  }
}

const MISSING = 'missing'

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Not ours to read: the names are asked of DNS, as if the file were not there.
    return ''
  }
}
