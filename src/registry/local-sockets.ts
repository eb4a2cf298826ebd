/** Unix sockets that registered agents may be reached at (`gatewright.registry.unix_sockets`). */
export interface LocalSockets {
  /** Whether the settings of this gateway allow the path; who may register does not decide what the gateway opens on its machine. */
  isAllowed(path: string): boolean
  /** Whether there is one to connect to: an agent on another machine has the path there, and not here. */
  isHere(path: string): boolean
}

/** Sockets below these directories, absolute. `exists` asks the file system. */
export function localSockets(
  directories: readonly string[],
  exists: (path: string) => boolean,
): LocalSockets {
  const roots = directories.map((directory) => `${directory.replace(/\/+$/, '')}/`)
  const isAllowed = (path: string) => roots.some((root) => path.startsWith(root))
  return { isAllowed, isHere: (path) => isAllowed(path) && exists(path) }
}
