import { free, inert, key, leaf, listOf, section, union } from '../key-spec.ts'
import {
  ADDRESS_KEYS,
  choice,
  DNS_SERVER,
  FLAG,
  IP_OR_CIDR,
  integer,
  LISTENERS,
  SECONDS,
  SIZE,
  TEXT,
  TIME,
  TLS_VERSIONS,
} from '../values.ts'

const SSL = section({
  enable: key(FLAG, 'whether the TLS listeners open'),
  listen: key(LISTENERS, 'TLS listeners; which certificate a client gets is said by `ssls`'),
  ssl_protocols: key(
    TLS_VERSIONS,
    'TLS versions, separated by spaces, for certificates that do not name their own',
  ),
  ssl_ciphers: key(TEXT, "OpenSSL's list of ciphers for TLS 1.2 and older"),
  ssl_session_tickets: key(
    FLAG,
    'let clients resume sessions; never where a client certificate is asked for',
  ),
  ssl_trusted_certificate: key(
    TEXT,
    'PEM file of the authorities that certificates of nodes and of the services of plugins are checked with, or `system`; several with commas between',
  ),
  fallback_sni: key(TEXT, 'host name to assume when a client sends none'),
})

const ANY_LIST = listOf(
  leaf('a port, an address or a map', () => true),
  'a list',
)

const KEY_OF_RING = leaf(
  'a text of 16 or 32 bytes',
  (value) => typeof value === 'string' && [16, 32].includes(Buffer.byteLength(value)),
)

const KEPT = integer(1, 1_000_000)

const SECRET_CACHE = section({
  ttl: key(SECONDS, 'seconds within which a value is fetched again'),
  count: key(KEPT, 'most values that are kept although nothing in the configuration uses them'),
  neg_ttl: key(SECONDS, 'seconds within which what could not be fetched is tried again'),
  neg_count: key(KEPT, 'most failures that are kept although nothing in the configuration uses them'),
})

const CACHE_LEVELS = leaf(
  'one to three numbers, each 1 or 2, such as "1:2"',
  (value) => typeof value === 'string' && /^[12](?::[12]){0,2}$/.test(value),
)

const CACHE_ZONE = section(
  {
    name: key(TEXT, 'what `cache_zone` of the plugin names'),
    memory_size: key(SIZE, 'bytes in memory; of a zone on disk, 128 bytes for each answer'),
    disk_size: key(SIZE, 'bytes on disk'),
    disk_path: key(TEXT, 'folder, relative to `gatewright.data_dir`; a zone without one is kept in memory'),
    cache_levels: key(CACHE_LEVELS, 'digits of the names of folders, level by level'),
  },
  { required: ['name', 'memory_size'] },
)

const PROXY_CACHE = section({
  cache_ttl: key(TIME, 'how long an answer on disk is kept when neither it nor the configuration says so'),
  zones: key(
    listOf(CACHE_ZONE, 'a list of {name, memory_size, disk_size, disk_path, cache_levels}'),
    'a list of {name, memory_size, disk_size, disk_path, cache_levels}; the last three for a zone on disk, whose `disk_path` is relative to `gatewright.data_dir`',
  ),
})

/** `apisix.*` (contract §9). */
export const APISIX_KEYS = {
  node_listen: key(
    LISTENERS,
    'proxy listeners: a port, a list of ports, or a list of {ip, port, enable_http2}; a bare port listens on 0.0.0.0; `enable_http2: true` serves HTTP/2 without TLS (prior knowledge) beside HTTP/1.1',
  ),
  enable_admin: key(
    FLAG,
    'whether the admin API listens; always off on a data plane, always on on a control plane',
  ),
  router: key(
    section({
      http: key(
        choice('radixtree_host_uri', 'radixtree_uri', 'radixtree_uri_with_parameter'),
        'how routes are matched: host first, path only, or path with :parameters',
      ),
      ssl: inert(choice('radixtree_sni'), 'how certificates are matched'),
    }),
    'matchers',
  ),
  proxy_mode: key(
    choice('http', 'http&stream'),
    '`http&stream` lets stream routes be stored, which this version does not serve; `stream` alone is refused',
  ),
  stream_proxy: inert(
    section({ tcp: inert(ANY_LIST, 'TCP ports'), udp: inert(ANY_LIST, 'UDP ports') }),
    'L4 listeners',
  ),
  ssl: key(SSL, 'TLS toward the client'),
  enable_http2: key(FLAG, 'HTTP/2 on TLS listeners, beside HTTP/1.1'),
  enable_ipv6: inert(FLAG, 'listen on IPv6 too; to do so now, name `::` in `node_listen`'),
  enable_reuseport: inert(FLAG, 'SO_REUSEPORT on listeners'),
  enable_server_tokens: key(FLAG, 'add the version to the `Server` header (APISIX: true)'),
  delete_uri_tail_slash: key(FLAG, 'match `/a/` as `/a`'),
  normalize_uri_like_servlet: key(FLAG, 'drop `;parameters` from path segments before matching'),
  match_uri_encoded_slash: key(FLAG, 'keep `%2F` apart from `/` when matching'),
  max_post_args_readable_size: key(
    integer(1, 65536),
    'megabytes of a body that `post_arg_*` and `post_arg.*` may read (APISIX: 64)',
  ),
  show_upstream_status_in_response_header: key(
    FLAG,
    'send `X-APISIX-Upstream-Status` on every answer, not only on errors',
  ),
  proxy_cache: key(PROXY_CACHE, 'where the plugin `proxy-cache` keeps answers'),
  proxy_protocol: inert(free(), 'listeners that expect the PROXY protocol'),
  dns_resolver: key(
    listOf(DNS_SERVER, 'a list of IP addresses, with ":port" where it is not 53'),
    'DNS servers; empty uses those of the system',
  ),
  dns_resolver_valid: key(SECONDS, "seconds a DNS answer is kept; unset follows the answer's own TTL"),
  resolver_timeout: key(SECONDS, 'seconds to wait for a DNS answer'),
  enable_resolv_search_opt: key(FLAG, 'apply the search list of resolv.conf to the names of nodes'),
  enable_control: key(FLAG, 'whether the control API listens'),
  control: key(
    section({
      ...ADDRESS_KEYS,
      router: inert(
        choice('radixtree_uri', 'radixtree_uri_with_parameter'),
        "how plugins' control routes match",
      ),
    }),
    'control API',
  ),
  status: key(section(ADDRESS_KEYS), 'status and readiness (APISIX: off unless set)'),
  data_encryption: key(
    section({
      enable_encrypt_fields: key(FLAG, 'keep secret fields encrypted in the store'),
      keyring: key(
        union(
          'a key of 16 or 32 bytes, or a list of them',
          KEY_OF_RING,
          listOf(KEY_OF_RING, 'a list of keys'),
        ),
        'keys of 16 or 32 bytes, newest first: the first one writes, all read. The same on all nodes, and on an APISIX beside them. Without one a generated key encrypts the embedded store, and nothing encrypts etcd',
        { isSecret: true },
      ),
    }),
    'encryption of secret fields',
  ),
  trusted_addresses: key(
    listOf(IP_OR_CIDR, 'a list of IP addresses and CIDRs'),
    'peers whose `X-Forwarded-*` headers are passed on; all others get them overwritten',
  ),
  disable_upstream_healthcheck: key(FLAG, 'switch all health checks off'),
  lru: key(section({ secret: key(SECRET_CACHE, 'secrets that `$secret://` refers to') }), 'sizes of caches'),
  tracing: inert(FLAG, 'internal tracing spans'),
  worker_startup_time_threshold: inert(SECONDS, 'seconds a worker may take to start'),
  events: key(free(), 'event module of workers', { effect: 'ignored' }),
  extra_lua_path: key(TEXT, 'search path for Lua', { effect: 'ignored' }),
  extra_lua_cpath: key(TEXT, 'search path for Lua', { effect: 'ignored' }),
  enable_dev_mode: key(FLAG, 'one worker process of nginx', { effect: 'ignored' }),
  disable_sync_configuration_during_start: key(FLAG, 'order of a start', { effect: 'ignored' }),
  lua_module_hook: key(TEXT, 'Lua hook', { effect: 'ignored' }),
}
