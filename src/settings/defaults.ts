import type { Settings } from './settings.ts'

/** The settings file as written: lists may be in their short form, `store` is not a key, every key is optional. */
export type SettingsTree = { readonly [key: string]: unknown }

/**
 * The value of every key that a settings file leaves out (contract §9; decisions.md 8 and 9 where they differ from APISIX). Nothing else in the code
 * knows a default. In file form: `normalize.ts` brings it into the form of {@link Settings} together with what the user wrote.
 */
export const DEFAULTS = {
  apisix: {
    node_listen: 9080,
    enable_admin: true,
    router: { http: 'radixtree_host_uri', ssl: 'radixtree_sni' },
    proxy_mode: 'http',
    stream_proxy: { tcp: [], udp: [] },
    ssl: {
      enable: true,
      listen: [{ ip: '0.0.0.0', port: 9443 }],
      ssl_protocols: 'TLSv1.2 TLSv1.3',
      ssl_ciphers:
        'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305',
      ssl_session_tickets: false,
      ssl_trusted_certificate: 'system',
    },
    enable_http2: true,
    enable_ipv6: true,
    enable_reuseport: true,
    enable_server_tokens: false,
    delete_uri_tail_slash: false,
    normalize_uri_like_servlet: false,
    match_uri_encoded_slash: false,
    max_post_args_readable_size: 64,
    show_upstream_status_in_response_header: false,
    proxy_cache: {},
    proxy_protocol: {},
    dns_resolver: [],
    resolver_timeout: 5,
    enable_resolv_search_opt: true,
    enable_control: true,
    control: { ip: '127.0.0.1', port: 9090, router: 'radixtree_uri' },
    status: { ip: '127.0.0.1', port: 7085 },
    data_encryption: { enable_encrypt_fields: true, keyring: [] },
    trusted_addresses: [],
    disable_upstream_healthcheck: false,
    lru: {},
    tracing: false,
    worker_startup_time_threshold: 60,
  },
  nginx_config: {
    http: { real_ip_header: 'X-Real-IP', real_ip_from: ['127.0.0.1', 'unix:'], real_ip_recursive: 'off' },
  },
  graphql: { max_size: 1048576 },
  plugins: 'all',
  stream_plugins: ['ip-restriction', 'limit-conn', 'mqtt-proxy', 'syslog', 'traffic-split'],
  plugin_attr: {
    prometheus: {
      export_uri: '/apisix/prometheus/metrics',
      export_addr: { ip: '127.0.0.1', port: 9091 },
      enable_export_server: true,
      metric_prefix: 'apisix_',
    },
  },
  deployment: {
    role: 'traditional',
    role_traditional: { config_provider: 'etcd' },
    role_control_plane: { config_provider: 'etcd' },
    role_data_plane: { config_provider: 'etcd' },
    admin: {
      admin_key_required: true,
      admin_key: [],
      enable_admin_cors: true,
      enable_admin_ui: true,
      allow_admin: ['127.0.0.0/8', '::1'],
      admin_listen: { ip: '127.0.0.1', port: 9180 },
      https_admin: false,
      admin_api_mtls: {},
      admin_api_version: 'v3',
    },
    etcd: {
      host: ['http://127.0.0.1:2379'],
      prefix: '/apisix',
      timeout: 30,
      watch_timeout: 50,
      resync_delay: 5,
      health_check_timeout: 10,
      startup_retry: 2,
      tls: { verify: true },
    },
  },
  discovery: { dns: { servers: [], order: ['last', 'SRV', 'A', 'AAAA', 'CNAME'] } },
  wasm: {},
  xrpc: {},
  'ext-plugin': {},
  gatewright: {
    data_dir: './data',
    store: 'auto',
    workers: 1,
    log: { level: 'info', access_log: 'stdout' },
    shutdown: { min_drain_ms: 0, max_drain_ms: 9000, plugin_close_ms: 2000 },
    server_header: 'Gatewright',
    dev: { allow_sample_admin_key: false },
  },
} as const satisfies SettingsTree & Record<Exclude<keyof Settings, 'store'>, unknown>
