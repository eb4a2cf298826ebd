import { key, leaf, listOf, section, union } from '../key-spec.ts'
import { choice, FLAG, integer, PATH, SHARE, TEXT, WORKERS } from '../values.ts'

const MAX_MS = 24 * 60 * 60 * 1000
const MAX_COUNT = 2 ** 31 - 1

const REGISTRY_KEY = leaf(
  '16 or more characters without blanks',
  (value) => typeof value === 'string' && /^[\x21-\x7e]{16,}$/.test(value),
)

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
    WORKERS,
    'worker processes, or `auto` for one per core; 1 is one process that does everything. Unset follows `nginx_config.worker_processes`; a control plane has none. See docs/operate/workers.md',
  ),
  worker_max_rss_bytes: key(
    integer(0, Number.MAX_SAFE_INTEGER, 'a number of bytes, or 0'),
    'resident memory above which a worker is replaced by a new one, without losing a request; 0 for any',
  ),
  log: key(
    section({
      level: key(
        choice('debug', 'info', 'warn', 'error', 'fatal', 'silent'),
        'least severity that is logged',
      ),
      access_log: key(TEXT, 'one line for each request: `stdout`, `off`, or a file'),
      audit_log: key(TEXT, 'one line for each write to the admin API: `log` (this log), `off`, or a file'),
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
      deregister_ms: key(
        integer(1, MAX_MS),
        'longest time a stop waits until the store has taken this node off the list of gateways; the proxy still accepts meanwhile',
      ),
      quit_enabled: key(
        FLAG,
        'whether `POST /quitquitquit` on the control listener stops the process, for clients on the same machine with an admin key',
      ),
    }),
    'stop',
  ),
  boot: key(
    section({
      timeout_ms: key(
        integer(0, MAX_MS),
        'milliseconds that a start waits for the first configuration before it ends with 1; 0 waits for ever, not ready meanwhile',
      ),
    }),
    'start, see docs/operate/lifecycle.md',
  ),
  prewarm: key(
    section({
      timeout_ms: key(
        integer(0, MAX_MS),
        'milliseconds that a start waits, between the first configuration and the proxy listeners, for names of nodes, first health checks and connections; what is not there by then is not waited for. 0 waits for nothing',
      ),
      connections: key(
        integer(0, 100),
        'connections that each process opens to each node meanwhile, 1000 in all; 0 for none',
      ),
    }),
    'what is made ready before the first request',
  ),
  registration: key(
    section({
      required: key(
        FLAG,
        'whether a start is ready only once this node is on the list of gateways in the store',
      ),
    }),
    'this node on the list of gateways, see docs/operate/cluster-view.md',
  ),
  upgrade: key(
    section({
      ready_timeout_ms: key(
        integer(100, MAX_MS),
        'longest time a worker process may take until it can serve; at a replacement those that serve stay when it takes longer',
      ),
    }),
    'replacement of workers, see docs/operate/workers.md',
  ),
  last_good: key(
    section({
      enabled: key(FLAG, 'save what etcd, or a whole configuration that was handed over, says'),
      min_interval_ms: key(integer(0, MAX_MS), 'least milliseconds between two saves'),
      start_wait_ms: key(
        integer(0, MAX_MS),
        'milliseconds that a start waits for the store, before it serves what was saved',
      ),
      hold_above_percent: key(
        integer(0, 100),
        'a store that was restored, emptied or replaced is not followed when more than this share of the routes would vanish, until it is confirmed; 100 follows always',
      ),
    }),
    'the last good configuration in `data_dir`, see docs/operate/static-stability.md',
  ),
  config_stale: key(
    section({
      after_ms: key(
        integer(0, MAX_MS),
        'milliseconds without a confirmation by the store after which the configuration that serves is called stale; 0 for never',
      ),
      fail_readiness: key(FLAG, 'a gateway whose configuration is stale is not ready (`config_stale`)'),
    }),
    'configuration that the store has not confirmed for long, see docs/operate/static-stability.md',
  ),
  limits: key(
    section({
      max_header_bytes: key(integer(1024, 1024 * 1024), 'bytes of request line and headers together'),
      max_headers: key(integer(1, 10_000), 'header lines of a request'),
      max_uri_bytes: key(integer(64, 1024 * 1024), 'bytes of a request target'),
      min_body_rate: key(
        integer(0, MAX_COUNT),
        'least bytes per second of a request body, counted after 10 s; 0 for any',
      ),
      max_connections: key(integer(0, MAX_COUNT), 'connections of all clients together; 0 for any'),
      max_connections_per_client: key(
        integer(0, MAX_COUNT),
        'connections of one address (IPv6: one /64); peers in `real_ip_from` and `trusted_addresses` are not counted; 0 for any',
      ),
      max_connection_duration_ms: key(
        integer(0, MAX_MS),
        'milliseconds after which the client of a connection is told to use another one, less up to a tenth at random; nothing is cut. 0 for any',
      ),
    }),
    'what a client may use of the proxy, see docs/reference/limits.md',
  ),
  pressure: key(
    section({
      overload_delay_ms: key(
        integer(0, MAX_MS),
        'milliseconds by which the event loop may be late all the time before only as many requests are let in as can be worked off; 0 to let all in',
      ),
      max_event_loop_delay_ms: key(
        integer(0, MAX_MS),
        'mean delay of the event loop, in milliseconds, above which no request is taken; 0 for any',
      ),
      max_event_loop_utilization: key(
        SHARE,
        'share of the time for which the event loop may be busy before no request is taken; 0 for any',
      ),
      max_heap_percent: key(
        integer(0, 100),
        'use of the JavaScript heap, in percent of its limit (`--max-old-space-size`), above which no request is taken; 0 for any',
      ),
      max_rss_bytes: key(
        integer(0, Number.MAX_SAFE_INTEGER, 'a number of bytes, or 0'),
        'resident memory above which no request is taken; 0 for any',
      ),
      sample_interval_ms: key(integer(10, MAX_MS), 'how often the four above are measured'),
      retry_after: key(integer(1, 86_400), 'seconds in `Retry-After` of the requests that are refused'),
    }),
    'when the proxy refuses requests (503) because it has more to do than it can, per worker process, see docs/operate/overload.md',
  ),
  plugin_paths: key(
    listOf(TEXT, 'a list of folders'),
    'folders with plugins of your own, relative to the working directory: one folder each, see docs/plugins/write-your-own.md',
  ),
  plugin_phase_timeout_ms: key(
    integer(1, MAX_MS),
    'longest time one phase of one plugin may take; then the request is answered 500. Waiting for the body of the client does not count',
  ),
  debug: key(
    section({
      timeline: key(
        integer(0, 100_000),
        'how many of the newest requests keep what each plugin did, for `GET /v1/timeline/ID` of the control API; 0 for none',
      ),
      plugins_header: key(FLAG, '`Apisix-Plugins` on every response: the phases that ran'),
      rejected_by_header: key(
        FLAG,
        '`X-Gatewright-Rejected-By` on answers of 400 and above that a plugin gave',
      ),
    }),
    'what is shown of the work of plugins; `PUT /v1/debug` of the control API changes it while the gateway runs',
  ),
  registry: key(
    section({
      enable: key(
        FLAG,
        'whether service instances can register, for upstreams with `discovery_type: registry`; needs the admin API, and a store that can be written',
      ),
      key: key(
        REGISTRY_KEY,
        'what instances send in `X-API-KEY`; it opens nothing but the registry. Unset, they need an admin key',
      ),
      lease_ttl: key(
        integer(2, 300),
        'seconds that a node lives without a heartbeat when it asks for no other time',
      ),
      unix_sockets: key(
        listOf(PATH, 'a list of absolute directories'),
        'directories on this machine below which agents may have Unix sockets as their endpoint, `unix:/path`; none by default, because who registers would choose what the gateway opens',
      ),
      metrics_alias: key(
        choice('autogen'),
        "shows five of its metrics under the names of AutoGen's gateway too, see docs/reference/metrics.md",
      ),
    }),
    'registry of service instances, see docs/reference/registry.md',
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
