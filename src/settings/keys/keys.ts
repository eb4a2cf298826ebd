import { free, inert, key, leaf, listOf, type SectionSpec, section, union } from '../key-spec.ts'
import {
  ADDRESS_KEYS,
  choice,
  DNS_SERVER,
  FLAG,
  integer,
  PATH,
  SIZE,
  TEXT,
  TEXTS,
  TIME,
  TIME_OR_NONE,
  WORKERS,
} from '../values.ts'
import { APISIX_KEYS } from './apisix.ts'
import { DEPLOYMENT_KEYS } from './deployment.ts'
import { GATEWRIGHT_KEYS } from './gatewright.ts'

const METRIC_PREFIX = leaf(
  'letters, digits and "_"',
  (value) => typeof value === 'string' && /^[a-zA-Z_]\w*$/.test(value),
)

const PROMETHEUS = section(
  {
    export_uri: key(PATH, 'path of the metrics'),
    export_addr: key(section(ADDRESS_KEYS), 'metrics'),
    enable_export_server: key(FLAG, 'whether the metrics listen on their own'),
    metric_prefix: key(METRIC_PREFIX, 'what every name starts with'),
  },
  { rest: 'free' },
)

const REAL_IP_HTTP = section(
  {
    real_ip_header: key(TEXT, "header with the client's address"),
    real_ip_from: key(TEXTS, 'peers from which it is believed: IP addresses, CIDRs, `unix:`'),
    real_ip_recursive: key(choice('on', 'off'), 'take the last address that is not in `real_ip_from`'),
    client_header_timeout: key(TIME, 'longest wait for the headers of a request (APISIX: 60s)'),
    client_body_timeout: key(
      TIME,
      'longest gap between two parts of a request body; how long the rest of one is read that was answered early',
    ),
    send_timeout: key(TIME, 'how long a client may take nothing of its response'),
    client_max_body_size: key(SIZE, 'longest request body, counted as it streams; 0 for any'),
    keepalive_timeout: key(TIME_OR_NONE, 'how long an idle connection is kept; 0 keeps none'),
    keepalive_requests: key(integer(1, 2 ** 31 - 1), 'requests of one connection, which then ends'),
  },
  { rest: 'ignored' },
)

const DNS = section({
  servers: key(
    listOf(DNS_SERVER, 'a list of IP addresses, with ":port" where it is not 53'),
    'DNS servers for services; empty uses those of `apisix.dns_resolver`',
  ),
  resolv_conf: key(TEXT, 'file in the form of resolv.conf to take the servers from, instead of `servers`'),
  order: key(
    listOf(choice('last', 'SRV', 'A', 'AAAA', 'CNAME'), 'a list of last, SRV, A, AAAA and CNAME', 1),
    'types of records, in the order in which they are asked for; `last` is the one that answered before',
  ),
})

const DISCOVERY = section({ dns: key(DNS, 'services in DNS, for `discovery_type: dns`') }, { rest: 'free' })

/** Every key of the settings file: the one list that validation, the reference, the default file and `check` are made from. */
export const ROOT: SectionSpec = section({
  apisix: key(section(APISIX_KEYS), 'the data plane'),
  nginx_config: key(
    section(
      {
        worker_processes: key(
          WORKERS,
          'worker processes, where `gatewright.workers` is not set (APISIX: auto)',
        ),
        http: key(REAL_IP_HTTP, 'HTTP'),
      },
      { rest: 'ignored' },
    ),
    'what of nginx has a meaning here',
  ),
  graphql: key(section({ max_size: key(integer(1, 2 ** 31), 'bytes of a query that is parsed') }), 'GraphQL'),
  plugins: key(
    union('"all" or a list of plugin names', choice('all'), TEXTS),
    'plugins that may be used: `all`, or a list of names that replaces it',
  ),
  stream_plugins: inert(listOf(TEXT, 'a list of plugin names'), 'plugins of L4 routes'),
  plugin_attr: key(
    section({ prometheus: key(PROMETHEUS, 'the metrics listener') }, { rest: 'free' }),
    'process-wide attributes of plugins, by name; each plugin checks its own',
  ),
  deployment: key(section(DEPLOYMENT_KEYS), 'role, admin API, etcd'),
  discovery: key(DISCOVERY, 'registries that `discovery_type` of an upstream may name, by type'),
  wasm: inert(free(), 'WebAssembly plugins'),
  xrpc: inert(free(), 'L4 protocols'),
  'ext-plugin': inert(free(), 'plugin runners'),
  gatewright: key(section(GATEWRIGHT_KEYS), 'our own keys'),
})
