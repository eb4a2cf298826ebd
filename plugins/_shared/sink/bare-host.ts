/** An address of IPv6 may be configured as it stands in a URL, in brackets; resolver and sockets want it without them. */
export function bareHost(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
}
