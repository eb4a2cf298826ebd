/** One parameter as OpenAPI has it. */
export interface Parameter {
  readonly name: string
  readonly in: 'query' | 'header' | 'path'
  readonly description: string
  readonly required?: boolean
  readonly schema: object
  readonly example?: unknown
}

const text = { type: 'string' }

function query(name: string, description: string, schema: object = text): Parameter {
  return { name, in: 'query', description, schema }
}

/** What operations refer to, by its name in `components.parameters`. */
export const PARAMETERS = {
  page: query('page', 'Which page, from 1. Without `page` and `page_size` all are listed.', {
    type: 'integer',
    minimum: 1,
  }),
  page_size: query('page_size', 'How many are on a page, 10 to 500.', {
    type: 'integer',
    minimum: 10,
    maximum: 500,
  }),
  name: query('name', 'Only those whose name this regular expression finds something in.'),
  label: query('label', 'Only those that have a label of this name.'),
  uri: query('uri', 'Only those that have a path in which this regular expression finds something.'),
  filter: query(
    'filter',
    'Only those that refer to this: `service_id=…` and `upstream_id=…`, percent-encoded as one value.',
  ),
  ttl: query('ttl', 'Seconds after which the resource is gone by itself.', { type: 'integer', minimum: 1 }),
  force: query('force', '`true` deletes what others refer to as well.', {
    type: 'string',
    enum: ['true', 'false'],
  }),
  dry_run: query('dry_run', '`true` checks everything and answers as if it were done, but stores nothing.', {
    type: 'string',
    enum: ['true', 'false'],
  }),
  wait: query(
    'wait',
    '`applied` answers when this gateway serves the change, `cluster` when every gateway on the same store does.',
    {
      type: 'string',
      enum: ['applied', 'cluster'],
    },
  ),
  timeout: query('timeout', 'How long `wait` may take, `500ms` or `5s`; at most `60s`, `5s` by default.'),
  subsystem: query('subsystem', 'For which listeners.', {
    type: 'string',
    enum: ['http', 'stream'],
    default: 'http',
  }),
  schema_type: query('schema_type', 'Which of the schemas of a plugin; its own when absent.', {
    type: 'string',
    enum: ['consumer', 'metadata'],
  }),
  all: query('all', 'Every enabled plugin with its schemas.', { type: 'string', enum: ['true'] }),
  if_match: {
    name: 'If-Match',
    in: 'header',
    description:
      'The write happens only if the resource is at one of these revisions, or exists at all: `*`.',
    schema: text,
    example: '"118"',
  },
  if_none_match: {
    name: 'If-None-Match',
    in: 'header',
    description: 'The write happens only if the resource does not exist.',
    schema: { type: 'string', enum: ['*'] },
  },
  digest: {
    name: 'X-Digest',
    in: 'header',
    required: true,
    description: "The client's name for this configuration; one that is in place already is not read again.",
    schema: text,
  },
} as const satisfies Readonly<Record<string, Parameter>>

export type ParameterName = keyof typeof PARAMETERS

/** By the names in the templates of paths. */
export const PATH_PARAMETERS: Readonly<Record<string, string>> = {
  id: 'The id: 1 to 64 letters, digits, `-`, `_` and `.`',
  username: 'The name of the consumer: 1 to 100 letters, digits, `-` and `_`',
  name: 'The name',
  manager: 'Where the secrets are kept: `vault`, `aws` or `gcp`',
  path: 'A member of the document; deeper ones follow with further slashes: `upstream/nodes`',
  resource: 'The kind in the plural: `routes`',
}

/** Headers of answers, by their name in `components.headers`. */
export const ANSWER_HEADERS = {
  etag: { description: '`"<modifiedIndex>"`, for `If-Match`.', schema: text },
  'x-api-version': { description: 'The dialect: `v3`.', schema: text },
  'x-gatewright-version': { description: "Gatewright's own version.", schema: text },
  'x-gatewright-dry-run': {
    description: '`true` when nothing was stored because of `dry_run`.',
    schema: text,
  },
  'x-gatewright-applied': {
    description: 'With `wait=applied`: the revision that requests meet now.',
    schema: text,
  },
  'x-gatewright-observed': {
    description: 'With `wait=applied` and 202: the revision this gateway knows of.',
    schema: text,
  },
  'x-gatewright-published': {
    description: 'With `wait=applied` and 202: the revision that requests meet.',
    schema: text,
  },
  'retry-after': { description: 'Seconds to wait.', schema: text },
  'x-digest': { description: 'Which configuration is in place.', schema: text },
  'x-last-modified': { description: 'Unix seconds at which it was put there.', schema: text },
} as const
