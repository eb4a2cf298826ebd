/** A place to connect to: an address with a port, or in place of the address the absolute path of a Unix socket. */
export interface ConnectPlace {
  readonly host: string
  readonly port: number
}

/** Whether a host is the path of a Unix socket; no name or address begins with a slash. */
export function isSocketPath(host: string): boolean {
  return host.startsWith('/')
}

/** The place as `net.connect` and `tls.connect` take it. */
export function connectOptions({
  host,
  port,
}: ConnectPlace): { host: string; port: number } | { path: string } {
  return isSocketPath(host) ? { path: host } : { host, port }
}

/** The place for people: `host:port` as it is, or `unix:/path` as nginx writes it. */
export function showPlace({ host, port }: ConnectPlace): string {
  return isSocketPath(host) ? `unix:${host}` : `${host}:${port}`
}
