import { KINDS } from '../../model/kind.ts'
import { inert, isMap, key, leaf, listOf, section } from '../key-spec.ts'
import {
  ADDRESS_KEYS,
  choice,
  FLAG,
  IP_OR_CIDR,
  integer,
  MAYBE_EMPTY_TEXT,
  SECONDS,
  TEXT,
} from '../values.ts'

const ETCD_URL = leaf('a URL such as http://127.0.0.1:2379', (value) => {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  const url = new URL(value)
  return (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname !== ''
})

const LABELS = leaf(
  'a map of label names to values, at least one',
  (value) =>
    isMap(value) &&
    Object.keys(value).length > 0 &&
    Object.values(value).every((one) => typeof one === 'string' && one !== ''),
)

/** What `resources` may name: every kind, and the paths that are none. */
const SCOPED_RESOURCES = [...KINDS, 'configs', 'openapi.json', 'plugins', 'schema'] as const

const ADMIN_KEY_SCOPE = section({
  verbs: key(
    listOf(choice('GET', 'PUT', 'POST', 'PATCH', 'DELETE'), 'a list of HTTP methods', 1),
    'methods the key may use',
  ),
  resources: key(
    listOf(choice(SCOPED_RESOURCES[0], ...SCOPED_RESOURCES.slice(1)), 'a list of resource names', 1),
    'paths below /apisix/admin it may use',
  ),
  id_prefix: key(
    leaf(
      'the beginning of an id, 1–64 letters, digits, "-", "_" or "."',
      (value) => typeof value === 'string' && /^[\w.-]{1,64}$/.test(value),
    ),
    'what ids have to begin with',
  ),
  label: key(LABELS, 'labels that a resource has to have'),
})

const ADMIN_KEY = section(
  {
    name: key(TEXT, 'name in logs'),
    key: key(MAYBE_EMPTY_TEXT, 'the key; empty is generated', { isSecret: true }),
    role: key(choice('admin', 'viewer'), 'admin reads and writes, viewer reads'),
    scope: key(ADMIN_KEY_SCOPE, 'limits within the role'),
  },
  { required: ['key', 'role'] },
)

const ADMIN = section({
  admin_key_required: key(FLAG, 'whether calls need a key'),
  admin_key: key(
    listOf(ADMIN_KEY, 'a list of {name, key, role, scope}'),
    'keys; with none, one is generated at first start and kept in `data_dir`/admin.key',
  ),
  enable_admin_cors: key(FLAG, 'answer browsers on other origins'),
  enable_admin_ui: inert(FLAG, 'serve the dashboard'),
  allow_admin: key(
    listOf(IP_OR_CIDR, 'a list of IP addresses and CIDRs'),
    'who may call; `null` lets every address in, an empty list none (APISIX: 127.0.0.0/24)',
    { isDeletable: true },
  ),
  admin_listen: key(section(ADDRESS_KEYS), 'admin API (APISIX: 0.0.0.0)'),
  https_admin: key(FLAG, 'TLS on the admin API, with the certificate of `admin_api_mtls`'),
  admin_api_mtls: key(
    section({
      admin_ssl_cert: key(MAYBE_EMPTY_TEXT, "PEM file of the admin API's certificate, with its chain"),
      admin_ssl_cert_key: key(MAYBE_EMPTY_TEXT, 'PEM file of its key'),
      admin_ssl_ca_cert: key(
        MAYBE_EMPTY_TEXT,
        'PEM file of authorities; clients then have to show a certificate of one of them',
      ),
    }),
    'certificates of the admin API',
  ),
  admin_api_version: key(choice('v3'), 'dialect of the admin API'),
})

const ETCD = section({
  host: key(
    listOf(ETCD_URL, 'a list of URLs', 1),
    'URLs of the members; `APISIX_DEPLOYMENT_ETCD_HOST` overrides it',
  ),
  prefix: key(
    leaf(
      'a path such as /apisix',
      (value) => typeof value === 'string' && /^\/?[^/\s]+(\/[^/\s]+)*\/?$/.test(value),
    ),
    'what keys start with',
  ),
  timeout: key(SECONDS, 'seconds one call may take'),
  watch_timeout: inert(SECONDS, 'seconds of silence after which a watch is checked'),
  resync_delay: inert(SECONDS, 'seconds to wait before listing again after a failure'),
  health_check_timeout: inert(SECONDS, 'seconds a failing member is left alone'),
  startup_retry: inert(integer(0, 1000), 'tries at start; the gateway goes on trying and reports not ready'),
  user: key(TEXT, 'user name'),
  password: key(TEXT, 'password', { isSecret: true }),
  tls: key(
    section({
      cert: key(TEXT, 'PEM file of the client certificate'),
      key: key(TEXT, 'PEM file of its key'),
      verify: key(FLAG, "check the server's certificate"),
      sni: key(TEXT, "host name to expect in the server's certificate"),
    }),
    'TLS toward etcd',
  ),
  use_grpc: key(FLAG, 'transport of older APISIX versions', { effect: 'ignored' }),
})

/** `deployment.*` (contract §9). */
export const DEPLOYMENT_KEYS = {
  role: key(
    choice('traditional', 'control_plane', 'data_plane'),
    'proxy and admin API, admin API only, or proxy only',
  ),
  role_traditional: key(
    section({ config_provider: key(choice('etcd', 'yaml'), 'see "Which store"') }),
    'for role traditional',
  ),
  role_control_plane: key(
    section({ config_provider: key(choice('etcd'), 'see "Which store"') }),
    'for role control_plane',
  ),
  role_data_plane: key(
    section({ config_provider: key(choice('etcd', 'yaml', 'json'), 'see "Which store"') }),
    'for role data_plane',
  ),
  admin: key(ADMIN, 'admin API'),
  etcd: key(ETCD, 'etcd; naming this section selects it as the store'),
}
