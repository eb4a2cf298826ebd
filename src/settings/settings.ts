/**
 * The boot configuration as the rest of the process sees it: APISIX's `config.yaml` shape with its spelling (contract §9), every key
 * present, lists in one form, frozen to the leaf. Made by `loadSettings` only; never changed while the process lives.
 */
export interface Settings {
  readonly apisix: ApisixSettings
  readonly nginx_config: NginxSettings
  readonly graphql: { readonly max_size: number }
  /** Names that may be used in configuration; `all` is the whole catalogue. */
  readonly plugins: readonly string[] | 'all'
  readonly stream_plugins: readonly string[]
  readonly plugin_attr: PluginAttributes
  readonly deployment: DeploymentSettings
  /** `discovery.<type>` as written; each discoverer checks its own part. */
  readonly discovery: Readonly<Record<string, unknown>> & { readonly dns: DnsDiscoverySettings }
  readonly gatewright: GatewrightSettings
  /** Derived, not a key: where configuration is kept (docs/reference/config.md, "Which store"). */
  readonly store: StoreSettings
}

/** `discovery.dns`. */
export interface DnsDiscoverySettings {
  /** Empty: those of `apisix.dns_resolver`. */
  readonly servers: readonly string[]
  /** Path of a file that names the servers instead. */
  readonly resolv_conf?: string
  readonly order: readonly ('last' | 'SRV' | 'A' | 'AAAA' | 'CNAME')[]
}

/** One socket to listen on. IPv6 without brackets. */
export interface ListenAddress {
  readonly ip: string
  readonly port: number
}

/** A proxy listener without TLS. */
export interface ProxyListenAddress extends ListenAddress {
  /** Present when HTTP/2 is served beside HTTP/1.1, to clients that begin with it. */
  readonly enable_http2?: true
}

/** The values of `apisix.router.http` (contract §4.3). */
export type HttpRouter = 'radixtree_host_uri' | 'radixtree_uri' | 'radixtree_uri_with_parameter'

export interface ApisixSettings {
  /** Proxy listeners, at least one. A bare port listens on 0.0.0.0. */
  readonly node_listen: readonly ProxyListenAddress[]
  /** Whether the admin API listens; false on a data plane, true on a control plane, whatever the file says. */
  readonly enable_admin: boolean
  readonly router: { readonly http: HttpRouter; readonly ssl: string }
  readonly proxy_mode: 'http' | 'http&stream'
  readonly stream_proxy: { readonly tcp: readonly unknown[]; readonly udp: readonly unknown[] }
  readonly ssl: SslSettings
  readonly enable_http2: boolean
  readonly enable_ipv6: boolean
  readonly enable_reuseport: boolean
  /** Adds the version to the proxy's `Server` header; already applied to `gatewright.server_header`. */
  readonly enable_server_tokens: boolean
  readonly delete_uri_tail_slash: boolean
  readonly normalize_uri_like_servlet: boolean
  readonly match_uri_encoded_slash: boolean
  /** Megabytes. */
  readonly max_post_args_readable_size: number
  readonly show_upstream_status_in_response_header: boolean
  readonly proxy_cache: ProxyCacheSettings
  readonly proxy_protocol: Readonly<Record<string, unknown>>
  readonly dns_resolver: readonly string[]
  /** Seconds; absent follows the TTL of the answer. */
  readonly dns_resolver_valid?: number
  /** Seconds. */
  readonly resolver_timeout: number
  readonly enable_resolv_search_opt: boolean
  readonly enable_control: boolean
  readonly control: ListenAddress & { readonly router: string }
  readonly status: ListenAddress
  readonly data_encryption: {
    readonly enable_encrypt_fields: boolean
    /** Secret. 16 or 32 bytes each, newest first. */
    readonly keyring: readonly string[]
  }
  /** IPs and CIDRs whose `X-Forwarded-*` are believed. */
  readonly trusted_addresses: readonly string[]
  readonly disable_upstream_healthcheck: boolean
  readonly lru: { readonly secret: SecretCacheSettings }
  readonly tracing: boolean
  /** Seconds. */
  readonly worker_startup_time_threshold: number
}

/** `apisix.proxy_cache`, as the file says it; the plugin gets it as its attributes, in bytes and milliseconds. */
export interface ProxyCacheSettings {
  readonly cache_ttl: string
  readonly zones: readonly CacheZoneSettings[]
}

/** A zone with a `disk_path` is kept on disk, any other in memory. */
export interface CacheZoneSettings {
  readonly name: string
  readonly memory_size: string | number
  readonly disk_size?: string | number
  readonly disk_path?: string
  readonly cache_levels?: string
}

/** `apisix.lru.secret`: what is kept of secrets that other places hold. Times in seconds. */
export interface SecretCacheSettings {
  readonly ttl: number
  readonly count: number
  readonly neg_ttl: number
  readonly neg_count: number
}

export interface SslSettings {
  readonly enable: boolean
  readonly listen: readonly ListenAddress[]
  readonly ssl_protocols: string
  readonly ssl_ciphers: string
  readonly ssl_session_tickets: boolean
  readonly ssl_trusted_certificate: string
  readonly fallback_sni?: string
}

/** The keys of `nginx_config` that mean something without nginx; all others are listed as ignored. */
export interface NginxSettings {
  /** As written; `gatewright.workers` is what counts. */
  readonly worker_processes: number | 'auto'
  readonly http: {
    /** The header that carries the client's address when the peer is in `real_ip_from`. */
    readonly real_ip_header: string
    /** IPs, CIDRs, or `unix:`. */
    readonly real_ip_from: readonly string[]
    readonly real_ip_recursive: 'on' | 'off'
    /** Milliseconds, as all that follow unless they say otherwise. */
    readonly client_header_timeout: number
    readonly client_body_timeout: number
    /** Of a client that takes nothing of its response. */
    readonly send_timeout: number
    /** Bytes; 0 for any. */
    readonly client_max_body_size: number
    /** 0 keeps no connection. */
    readonly keepalive_timeout: number
    /** Requests. */
    readonly keepalive_requests: number
  }
}

export interface PrometheusAttributes {
  readonly export_uri: string
  readonly export_addr: ListenAddress
  readonly enable_export_server: boolean
  readonly metric_prefix: string
  readonly [other: string]: unknown
}

/** `plugin_attr.<name>`; each plugin checks its own part. */
export type PluginAttributes = Readonly<Record<string, Readonly<Record<string, unknown>>>> & {
  readonly prometheus: PrometheusAttributes
}

export interface DeploymentSettings {
  readonly role: 'traditional' | 'control_plane' | 'data_plane'
  readonly role_traditional: { readonly config_provider: 'etcd' | 'yaml' }
  readonly role_control_plane: { readonly config_provider: 'etcd' }
  readonly role_data_plane: { readonly config_provider: 'etcd' | 'yaml' | 'json' }
  readonly admin: AdminSettings
  /** What an etcd store would use; `Settings.store` says whether it does. */
  readonly etcd: EtcdSettings
}

/** A key of the admin API. Secret: never logged, never shown. */
export interface AdminKey {
  readonly name: string
  readonly key: string
  readonly role: 'admin' | 'viewer'
  readonly scope?: AdminScope
}

/** What a key is limited to, within its role; a part that is absent limits nothing. Names as users write them. */
export interface AdminScope {
  /** HTTP methods. */
  readonly verbs?: readonly string[]
  /** First segments of paths below `/apisix/admin`, and `credentials`. */
  readonly resources?: readonly string[]
  readonly id_prefix?: string
  /** Every one of these labels has to be there. */
  readonly label?: Readonly<Record<string, string>>
}

/** Absolute paths of PEM files; absent when not set. */
export interface AdminTlsSettings {
  readonly admin_ssl_cert?: string
  readonly admin_ssl_cert_key?: string
  /** Authorities of clients, who then have to show a certificate. */
  readonly admin_ssl_ca_cert?: string
}

export interface AdminSettings {
  readonly admin_key_required: boolean
  /** Empty means: use the generated key in `data_dir` (see `resolveAdminKeys`). */
  readonly admin_key: readonly AdminKey[]
  readonly enable_admin_cors: boolean
  readonly enable_admin_ui: boolean
  /** IPs and CIDRs that may call the admin API; absent allows all, an empty list none. */
  readonly allow_admin?: readonly string[]
  readonly admin_listen: ListenAddress
  readonly https_admin: boolean
  readonly admin_api_mtls: AdminTlsSettings
  readonly admin_api_version: 'v3'
}

/** `deployment.etcd`; durations in seconds as in APISIX. `password` is secret. */
export interface EtcdSettings {
  /** URLs, at least one. */
  readonly host: readonly string[]
  /** Starts with a slash, does not end with one. */
  readonly prefix: string
  readonly timeout: number
  readonly watch_timeout: number
  readonly resync_delay: number
  readonly health_check_timeout: number
  readonly startup_retry: number
  readonly user?: string
  readonly password?: string
  readonly tls: {
    /** Paths of PEM files. */
    readonly cert?: string
    readonly key?: string
    readonly verify: boolean
    readonly sni?: string
  }
}

export type LogLevelName = 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/** What a client may use of the proxy (docs/reference/limits.md). */
export interface LimitSettings {
  /** Request line and headers together. */
  readonly max_header_bytes: number
  readonly max_headers: number
  readonly max_uri_bytes: number
  /** Bytes per second of a request's body; 0 for any. */
  readonly min_body_rate: number
  /** Over all proxy listeners; 0 for any. */
  readonly max_connections: number
  /** 0 for any. */
  readonly max_connections_per_client: number
  /** After so long a connection is let go; 0 for any. */
  readonly max_connection_duration_ms: number
}

/** When requests are refused because a process has more to do than it can (docs/operate/overload.md); 0 is never. */
export interface PressureSettings {
  readonly overload_delay_ms: number
  readonly max_event_loop_delay_ms: number
  /** 0–1. */
  readonly max_event_loop_utilization: number
  /** Of the heap's limit. */
  readonly max_heap_percent: number
  readonly max_rss_bytes: number
  readonly sample_interval_ms: number
  /** Seconds. */
  readonly retry_after: number
}

/** The configuration that is kept in `data_dir` for a start without its store (docs/operate/static-stability.md). */
export interface LastGoodSettings {
  readonly enabled: boolean
  /** Least time between two saves. */
  readonly min_interval_ms: number
  /** How long a start waits for the store. */
  readonly start_wait_ms: number
  /** Share of the routes that a store that went back in time may take away unasked. */
  readonly hold_above_percent: number
}

/** What is shown of the plugins' work. */
export interface DebugSettings {
  /** How many of the newest requests keep a timeline; 0 keeps none. */
  readonly timeline: number
  /** `Apisix-Plugins` on every response. */
  readonly plugins_header: boolean
  /** `X-Gatewright-Rejected-By` on answers of 400 and above that a plugin gave. */
  readonly rejected_by_header: boolean
}

/** The registry where service instances register themselves (docs/reference/registry.md). */
export interface RegistrySettings {
  readonly enable: boolean
  /** Secret. What nodes authenticate with; absent: an admin key is needed. */
  readonly key?: string
  /** Seconds a node lives without a heartbeat when it does not say. */
  readonly lease_ttl: number
  /** Absolute directories of Unix sockets that agents may be reached at. */
  readonly unix_sockets: readonly string[]
  /** Further names of its metrics. */
  readonly metrics_alias?: 'autogen'
}

/** Our own keys. */
export interface GatewrightSettings {
  /** Absolute directory of the embedded store and the generated key. */
  readonly data_dir: string
  /** Overrides the choice of the store; `auto` follows the rest of the file. */
  readonly store: 'auto' | 'embedded' | 'etcd' | 'memory'
  /** Worker processes; 1 is one process that does everything. `auto` and `nginx_config.worker_processes` are already applied. */
  readonly workers: number
  /** A worker with more resident memory is replaced; 0 for any. */
  readonly worker_max_rss_bytes: number
  readonly log: {
    readonly level: LogLevelName
    /** `stdout`, `off`, or the path of a file. */
    readonly access_log: string
    /** `log`, `off`, or the absolute path of a file. */
    readonly audit_log: string
  }
  readonly shutdown: {
    /** How long new connections are still accepted after the signal. */
    readonly min_drain_ms: number
    /** From the signal to the moment everything is cut; includes `min_drain_ms`. */
    readonly max_drain_ms: number
    /** Longest time one plugin's `onClose` may take. */
    readonly plugin_close_ms: number
    /** Longest time that a stop waits for the store to forget this node. */
    readonly deregister_ms: number
    /** Whether the control API may stop the process. */
    readonly quit_enabled: boolean
  }
  readonly boot: {
    /** Longest time until the first configuration; 0 for any. */
    readonly timeout_ms: number
  }
  readonly prewarm: {
    /** Longest time between the first configuration and the proxy listeners; 0 for none. */
    readonly timeout_ms: number
    /** To each node, in each process. */
    readonly connections: number
  }
  readonly registration: {
    /** Whether readiness waits until this node is on the list of gateways. */
    readonly required: boolean
  }
  readonly upgrade: {
    /** Longest time until a worker process can serve. */
    readonly ready_timeout_ms: number
  }
  readonly last_good: LastGoodSettings
  /** When the store has not confirmed what serves for so long. */
  readonly config_stale: {
    /** 0 for never. */
    readonly after_ms: number
    /** Whether the gateway is then not ready. */
    readonly fail_readiness: boolean
  }
  readonly limits: LimitSettings
  readonly pressure: PressureSettings
  /** Absolute folders with plugins of the user's own. */
  readonly plugin_paths: readonly string[]
  /** Longest time in ms that one phase of one plugin may take to settle. */
  readonly plugin_phase_timeout_ms: number
  readonly debug: DebugSettings
  readonly registry: RegistrySettings
  /** The text of the proxy's `Server` header, or false to send none. */
  readonly server_header: string | false
  readonly dev: {
    /** Lets a start pass with APISIX's well-known sample keys. */
    readonly allow_sample_admin_key: boolean
  }
}

/** Where configuration is kept. `prefix` is the one of the keys in it (`/apisix/routes/1`). */
export type StoreSettings =
  | { readonly type: 'embedded'; readonly prefix: string; readonly path: string }
  | { readonly type: 'memory'; readonly prefix: string }
  /** Handed over as a whole through the admin API. */
  | { readonly type: 'configs'; readonly prefix: string }
  | {
      readonly type: 'file'
      readonly prefix: string
      readonly path: string
      readonly format: 'yaml' | 'json'
    }
  | { readonly type: 'etcd'; readonly prefix: string; readonly etcd: EtcdSettings }
