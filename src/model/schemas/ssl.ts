import { certificate, desc, host, id, labels, privateKey, timestamps } from './definitions.ts'

const client = {
  type: 'object',
  description: 'how the certificates of clients are checked',
  properties: {
    ca: certificate,
    depth: {
      type: 'integer',
      minimum: 0,
      default: 1,
      description: "intermediate certificates allowed between the client's and the authority's",
    },
    skip_mtls_uri_regex: {
      type: 'array',
      description: 'paths that need no certificate',
      minItems: 1,
      uniqueItems: true,
      items: { type: 'string', description: 'regular expression' },
    },
  },
  required: ['ca'],
} as const

/** Contract §3.6. */
export const sslSchema = {
  type: 'object',
  properties: {
    id,
    type: {
      type: 'string',
      description: 'server: shown to clients; client: shown to nodes',
      enum: ['server', 'client'],
      default: 'server',
    },
    cert: certificate,
    key: privateKey,
    certs: { type: 'array', items: certificate },
    keys: { type: 'array', items: privateKey },
    sni: host,
    snis: { type: 'array', items: host, minItems: 1 },
    client,
    status: { type: 'integer', description: '1 to serve, 0 not to', enum: [1, 0], default: 1 },
    ssl_protocols: {
      type: 'array',
      maxItems: 3,
      uniqueItems: true,
      items: { enum: ['TLSv1.1', 'TLSv1.2', 'TLSv1.3'] },
    },
    desc,
    labels,
    ...timestamps,
  },
  if: { properties: { type: { enum: ['server'] } } },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON schema
  then: { oneOf: [{ required: ['sni', 'key', 'cert'] }, { required: ['snis', 'key', 'cert'] }] },
  else: { required: ['key', 'cert'] },
  additionalProperties: false,
} as const
