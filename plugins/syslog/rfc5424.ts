/** Facility `syslog` (5), severity `info` (6): what APISIX sends (RFC 5424 §6.2.1). */
const PRIORITY = 5 * 8 + 6
const APP_NAME = 'apisix'
/** RFC 5424 §6.2.4: printable ASCII without spaces, 255 at most. */
const MAX_HOSTNAME = 255
const NOT_PRINTABLE = /[^\x21-\x7e]/g

export interface SyslogMessage {
  /** Wall clock, ms. */
  readonly timeMs: number
  /** The client decides on it: what may not stand there is replaced. */
  readonly hostname: string
  readonly processId: number
  /** Without line breaks, as JSON is: the transport may end messages with them. */
  readonly text: string
}

/** One message of RFC 5424, without its end. */
export function formatSyslog({ timeMs, hostname, processId, text }: SyslogMessage): string {
  const name = hostname.replace(NOT_PRINTABLE, '?').slice(0, MAX_HOSTNAME) || '-'
  return `<${PRIORITY}>1 ${new Date(timeMs).toISOString()} ${name} ${APP_NAME} ${processId} - - ${text}`
}
