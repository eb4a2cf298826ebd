import { timestamps } from './definitions.ts'

const uri = {
  type: 'string',
  pattern: '^[^\\/]+:\\/\\/([\\da-zA-Z.-]+|\\[[\\da-fA-F:]+\\])(:\\d+)?',
} as const
const text = { type: 'string' } as const

/** What every secret manager's document is; the rest is in {@link SECRET_SCHEMAS}. */
export const secretSchema = { type: 'object' } as const

const vault = {
  type: 'object',
  properties: {
    uri,
    prefix: { ...text, description: 'path under /v1/ that all look-ups start with' },
    token: { ...text, description: 'token of Vault' },
    namespace: text,
    ...timestamps,
  },
  required: ['uri', 'prefix', 'token'],
} as const

const aws = {
  type: 'object',
  properties: {
    access_key_id: text,
    secret_access_key: text,
    session_token: text,
    region: { ...text, default: 'us-east-1' },
    endpoint_url: uri,
    ...timestamps,
  },
  required: ['access_key_id', 'secret_access_key'],
} as const

const gcp = {
  type: 'object',
  properties: {
    auth_config: {
      type: 'object',
      description: 'a service account',
      properties: {
        client_email: text,
        private_key: text,
        project_id: text,
        token_uri: { ...text, default: 'https://oauth2.googleapis.com/token' },
        scope: {
          type: 'array',
          items: { ...text, description: 'OAuth scope' },
          default: ['https://www.googleapis.com/auth/cloud-platform'],
        },
        entries_uri: { ...text, default: 'https://secretmanager.googleapis.com/v1' },
      },
      required: ['client_email', 'private_key', 'project_id'],
    },
    auth_file: { ...text, description: 'path of a service account in JSON' },
    ssl_verify: { type: 'boolean', default: true },
    ...timestamps,
  },
  oneOf: [{ required: ['auth_config'] }, { required: ['auth_file'] }],
} as const

/** By manager (contract §1.11). */
export const SECRET_SCHEMAS: Readonly<Record<string, object>> = { vault, aws, gcp }
