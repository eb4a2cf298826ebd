/** The stored documents as users write them, after the schema has passed; keys keep APISIX's spelling (contract §3). */

export type Id = string | number
export type Labels = Record<string, string>
export type PluginConfigs = Record<string, Record<string, unknown>>

interface Described {
  id?: Id
  name?: string
  desc?: string
  labels?: Labels
  create_time?: number
  update_time?: number
}

/** Seconds, each above 0. */
export interface Timeout {
  connect: number
  send: number
  read: number
}

export interface Node {
  host: string
  port?: number
  weight: number
  priority?: number
  metadata?: Record<string, unknown>
}

export interface UpstreamTls {
  client_cert_id?: Id
  client_cert?: string
  client_key?: string
  verify?: boolean
}

export interface KeepalivePool {
  size?: number
  /** Seconds. */
  idle_timeout?: number
  requests?: number
}

export type HashOn = 'vars' | 'header' | 'cookie' | 'consumer' | 'vars_combinations'
export type UpstreamScheme = 'grpc' | 'grpcs' | 'http' | 'https' | 'tcp' | 'tls' | 'udp' | 'kafka'
export type PassHost = 'pass' | 'node' | 'rewrite'

export interface Upstream extends Described {
  nodes?: Record<string, number> | Node[]
  service_name?: string
  discovery_type?: string
  discovery_args?: Record<string, unknown>
  type?: string
  hash_on?: HashOn
  key?: string
  checks?: Record<string, unknown>
  retries?: number
  /** Seconds; 0 means no limit. */
  retry_timeout?: number
  timeout?: Timeout
  scheme?: UpstreamScheme
  pass_host?: PassHost
  upstream_host?: string
  keepalive_pool?: KeepalivePool
  tls?: UpstreamTls
}

export interface Service extends Described {
  plugins?: PluginConfigs
  upstream?: Upstream
  upstream_id?: Id
  script?: string
  enable_websocket?: boolean
  hosts?: string[]
}

export interface Route extends Described {
  uri?: string
  uris?: string[]
  priority?: number
  methods?: string[]
  host?: string
  hosts?: string[]
  remote_addr?: string
  remote_addrs?: string[]
  timeout?: Timeout
  vars?: unknown[]
  filter_func?: string
  script?: string
  script_id?: Id
  plugins?: PluginConfigs
  plugin_config_id?: Id
  upstream?: Upstream
  upstream_id?: Id
  service_id?: Id
  enable_websocket?: boolean
  status?: 0 | 1
}

export interface Consumer {
  username: string
  id?: Id
  desc?: string
  labels?: Labels
  group_id?: Id
  plugins?: PluginConfigs
  create_time?: number
  update_time?: number
}

export interface PluginConfig extends Described {
  id: Id
  plugins: PluginConfigs
}

export interface ConsumerGroup extends Described {
  id: Id
  plugins: PluginConfigs
}

/** One way of a consumer to identify itself: at most one plugin. */
export interface Credential extends Described {
  plugins?: PluginConfigs
}

/** A place where secrets are kept; its fields are those of its manager. */
export interface Secret {
  id?: Id
  [key: string]: unknown
}

export interface Proto extends Described {
  /** Text of a .proto file, or a FileDescriptorSet in base64. */
  content: string
}

export interface StreamProtocol {
  name: string
  superior_id?: Id
  conf?: Record<string, unknown>
  logger?: { name?: string; filter?: unknown[]; conf?: Record<string, unknown> }[]
}

export interface StreamRoute extends Described {
  remote_addr?: string
  server_addr?: string
  server_port?: number
  sni?: string
  upstream?: Upstream
  upstream_id?: Id
  service_id?: Id
  plugins?: PluginConfigs
  protocol?: StreamProtocol
}

export interface GlobalRule {
  id: Id
  plugins: PluginConfigs
  create_time?: number
  update_time?: number
}

export type TlsVersion = 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'

/** Certificates by the names that clients ask for (type server), or what the gateway shows to nodes (type client). PEM throughout. */
export interface Ssl {
  id?: Id
  desc?: string
  labels?: Labels
  create_time?: number
  update_time?: number
  type?: 'server' | 'client'
  cert?: string
  /** Secret, as `keys` is. */
  key?: string
  /** Further pairs, such as ECDSA beside RSA. */
  certs?: string[]
  keys?: string[]
  sni?: string
  snis?: string[]
  client?: SslClient
  status?: 0 | 1
  ssl_protocols?: TlsVersion[]
}

/** How the certificates of clients are checked. */
export interface SslClient {
  ca: string
  /** Intermediate certificates that may stand between the client's and the authority's. */
  depth?: number
  skip_mtls_uri_regex?: string[]
}

export interface PluginMetadata {
  id?: Id
  [key: string]: unknown
}

/** Kind to document. */
export interface Documents {
  plugin_metadata: PluginMetadata
  secrets: Secret
  ssls: Ssl
  protos: Proto
  upstreams: Upstream
  services: Service
  plugin_configs: PluginConfig
  consumer_groups: ConsumerGroup
  credentials: Credential
  consumers: Consumer
  global_rules: GlobalRule
  routes: Route
  stream_routes: StreamRoute
}
