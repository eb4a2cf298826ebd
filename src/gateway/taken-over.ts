import { isDeepStrictEqual } from 'node:util'
import type { Settings } from '../settings/settings.ts'

/** What new workers take over from settings that were read again; all else belongs to the primary process too, which keeps what it has. */
const OF_WORKERS = {
  nginx_config: ['http'],
  apisix: [
    'node_listen',
    'enable_http2',
    'delete_uri_tail_slash',
    'normalize_uri_like_servlet',
    'match_uri_encoded_slash',
    'show_upstream_status_in_response_header',
    'max_post_args_readable_size',
    'trusted_addresses',
  ],
  graphql: ['max_size'],
  gatewright: ['limits', 'pressure', 'server_header', 'plugin_phase_timeout_ms'],
} as const satisfies { readonly [S in keyof Settings]?: readonly (keyof Settings[S])[] }

type Sections = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** `current` with what workers take over from `next`. */
export function takenOver(current: Settings, next: Settings): Settings {
  const from = next as unknown as Sections
  const into = { ...current } as unknown as Record<string, Readonly<Record<string, unknown>>>
  for (const [section, keys] of Object.entries(OF_WORKERS)) {
    const taken = keys.map((key) => [key, from[section]![key]] as const)
    into[section] = { ...into[section], ...Object.fromEntries(taken) }
  }
  into['apisix'] = { ...into['apisix'], ssl: listeningWithTls(current, next) }
  if (hasPool(current) && hasPool(next))
    into['gatewright'] = { ...into['gatewright'], workers: next.gatewright.workers }
  return into as unknown as Settings
}

/** The primary process trusts the same authorities when it probes nodes, and does not read them again. */
function listeningWithTls({ apisix: { ssl } }: Settings, next: Settings): Settings['apisix']['ssl'] {
  const { ssl_trusted_certificate } = ssl
  return { ...next.apisix.ssl, ssl_trusted_certificate }
}

/** With one the process that is to start them does everything itself. */
function hasPool({ gatewright }: Settings): boolean {
  return gatewright.workers > 1
}

/** Keys of two levels that differ, `plugins` apart, which is taken over everywhere. */
export function differingKeys(one: Settings, other: Settings): string[] {
  const [left, right] = [one as unknown as Sections, other as unknown as Sections]
  return Object.keys(right)
    .filter((section) => section !== 'plugins' && section !== 'store')
    .flatMap((section) => {
      const keys = new Set([...Object.keys(left[section] ?? {}), ...Object.keys(right[section] ?? {})])
      return [...keys]
        .filter((key) => !isDeepStrictEqual(left[section]?.[key], right[section]?.[key]))
        .map((key) => `${section}.${key}`)
    })
}
