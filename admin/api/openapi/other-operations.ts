import { reference } from './json-schema.ts'
import { ALWAYS, type Operation } from './operation.ts'

const schema = { type: 'object', description: 'A JSON schema, draft 7.' }
const configuration = {
  type: 'object',
  description:
    'A list of each kind of resource by its name, as in apisix.json; `<kind>_conf_version` beside it.',
}
const EITHER = { 'application/json': configuration, 'application/yaml': configuration }
const READ = { parameters: [], refusals: ALWAYS }

/** What is asked of the API beside stored resources. */
export const OTHER_OPERATIONS: readonly Operation[] = [
  {
    ...READ,
    method: 'get',
    path: '/plugins/list',
    group: 'plugins',
    summary: 'Names of the enabled plugins, highest priority first',
    parameters: ['subsystem'],
    answers: { 200: { type: 'array', items: { type: 'string' } } },
  },
  {
    ...READ,
    method: 'get',
    path: '/plugins',
    group: 'plugins',
    summary: 'Every enabled plugin with its schemas',
    parameters: ['all', 'subsystem'],
    answers: { 200: { type: 'object', additionalProperties: { type: 'object' } } },
  },
  {
    ...READ,
    method: 'get',
    path: '/plugins/{name}',
    group: 'plugins',
    summary: 'The schema of a plugin',
    parameters: ['subsystem', 'schema_type'],
    answers: { 200: schema },
  },
  {
    ...READ,
    method: 'put',
    path: '/plugins/reload',
    group: 'plugins',
    summary: 'Read the list of plugins anew',
    answers: { 200: { type: 'string', const: 'done' } },
    refusals: [...ALWAYS, 405],
  },
  {
    ...READ,
    method: 'get',
    path: '/schema/{name}',
    group: 'schema',
    summary: 'The schema of a kind of resource, by its singular',
    answers: { 200: schema },
  },
  {
    ...READ,
    method: 'get',
    path: '/schema/plugins/{name}',
    group: 'schema',
    summary: 'The schema of a plugin, as under /plugins/{name}',
    parameters: ['subsystem', 'schema_type'],
    answers: { 200: schema },
  },
  {
    ...READ,
    method: 'post',
    path: '/schema/validate/{resource}',
    group: 'schema',
    summary: 'Check a document against the schema of its kind; nothing is stored',
    body: { 'application/json': {} },
    answers: { 200: undefined },
  },
  {
    ...READ,
    method: 'post',
    path: '/configs/validate',
    group: 'configs/validate',
    summary: 'Check a whole configuration with its plugins and references; nothing is stored',
    body: EITHER,
    answers: { 200: { type: 'object', maxProperties: 0 }, 400: reference('validation-failure') },
    refusals: [401, 403, 413, 429, 503],
  },
  {
    ...READ,
    method: 'get',
    path: '/configs',
    group: 'configs',
    summary: 'The configuration that is in place',
    answers: { 200: configuration },
  },
  {
    ...READ,
    method: 'head',
    path: '/configs',
    group: 'configs',
    summary: 'Which configuration is in place',
    answers: { 200: undefined },
  },
  {
    ...READ,
    method: 'put',
    path: '/configs',
    group: 'configs',
    summary: 'Put a whole configuration in place',
    parameters: ['digest'],
    body: EITHER,
    answers: { 202: undefined, 204: undefined },
    refusals: [...ALWAYS, 413, 503],
  },
  {
    ...READ,
    method: 'get',
    path: '/cluster',
    group: 'cluster',
    summary: 'The gateways that share the store, and how far each is',
    answers: { 200: { type: 'object', required: ['total', 'newest_revision', 'list'] } },
  },
  {
    ...READ,
    method: 'get',
    path: '/openapi.json',
    group: 'openapi',
    summary: 'This description',
    answers: { 200: { type: 'object', description: 'An OpenAPI 3.1 document.' } },
  },
]
