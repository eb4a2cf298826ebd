/** What `key` of an upstream may be with `hash_on: vars` (contract §3.5). */
export const hashVarsKeySchema = {
  type: 'string',
  pattern:
    '^((uri|server_name|server_addr|request_uri|remote_port|remote_addr|query_string|host|hostname|mqtt_client_id)|arg_[0-9a-zA-z_-]+)$',
} as const

/** With `hash_on: header` or `cookie`. */
export const hashHeaderKeySchema = { type: 'string', pattern: '^[a-zA-Z0-9-_]+$' } as const
