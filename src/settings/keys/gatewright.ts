import { key, leaf, section, union } from '../key-spec.ts'
import { choice, FLAG, integer, TEXT } from '../values.ts'

const MAX_MS = 24 * 60 * 60 * 1000

/** `gatewright.*`: our own keys. */
export const GATEWRIGHT_KEYS = {
  data_dir: key(
    TEXT,
    'directory of the embedded store and the generated key, relative to the working directory',
  ),
  store: key(
    choice('auto', 'embedded', 'etcd', 'memory'),
    'where configuration is kept; `auto` follows the rest of the file, see "Which store"',
  ),
  workers: key(
    leaf(
      '1 (more than one process is not supported yet; start several gateways on one etcd instead)',
      (value) => value === 1,
    ),
    'number of worker processes; only 1 in this version',
  ),
  log: key(
    section({
      level: key(
        choice('debug', 'info', 'warn', 'error', 'fatal', 'silent'),
        'least severity that is logged',
      ),
      access_log: key(TEXT, 'one line for each request: `stdout`, `off`, or a file'),
    }),
    'logs, as JSON on standard output',
  ),
  shutdown: key(
    section({
      min_drain_ms: key(integer(0, MAX_MS), 'milliseconds to keep accepting after the signal to stop'),
      max_drain_ms: key(
        integer(1, MAX_MS),
        'milliseconds from the signal until what still runs is cut; unset follows `TERMINATION_GRACE_PERIOD_SECONDS` less 5 s',
      ),
      plugin_close_ms: key(integer(1, MAX_MS), 'longest time one plugin may take to close'),
    }),
    'stop',
  ),
  server_header: key(
    union(
      'a product name such as "Gatewright", or false',
      leaf(
        'a product name such as "Gatewright", or false',
        (value) => value === false || (typeof value === 'string' && /^[\w!#$%&'*+.^`|~/-]+$/.test(value)),
      ),
    ),
    'the `Server` header of the proxy, false sends none; `apisix.enable_server_tokens` adds the version',
  ),
  dev: key(
    section({
      allow_sample_admin_key: key(FLAG, "accept APISIX's published sample keys; never on a network"),
    }),
    'for development only',
  ),
}
