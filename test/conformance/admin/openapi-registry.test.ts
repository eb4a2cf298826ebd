import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { ADMIN_KEY, type RegistryGateway, startRegistryGateway } from '../../support/registry.ts'
import { startAdmin } from './start-admin.ts'

const ROOT = '/apisix/registry'
const METHODS = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE']

interface Described {
  readonly summary: string
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> }
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: object }> }>
}

interface OpenApi {
  readonly paths: Record<string, Record<string, Described>>
  readonly components: { readonly schemas: Record<string, object>; readonly securitySchemes: object }
  readonly tags: readonly { readonly name: string }[]
}

/** The document as a gateway with a registry serves it. */
async function served(t: TestContext): Promise<{ gateway: RegistryGateway; document: OpenApi }> {
  const gateway = await startRegistryGateway(t)
  const response = await fetch(`${gateway.adminUrl}/apisix/admin/openapi.json`, {
    headers: { 'x-api-key': ADMIN_KEY },
  })
  assert.equal(response.status, 200)
  return { gateway, document: (await response.json()) as OpenApi }
}

function describedCalls({ paths }: OpenApi): string[] {
  return Object.entries(paths)
    .filter(([path]) => path.startsWith(`${ROOT}/`))
    .flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`))
    .sort()
}

const CALLS: readonly [method: string, path: string, template: string, body: unknown, status: number][] = [
  ['PUT', 'nodes/n1', '/nodes/{node_id}', { endpoint: 'http://a:1', status: 'running' }, 201],
  ['PUT', 'nodes/n1', '/nodes/{node_id}', { endpoint: 'http://a:1', status: 'running' }, 200],
  ['PUT', 'nodes/n1', '/nodes/{node_id}', { endpoint: 'http://b:1' }, 409],
  ['PUT', 'nodes/n1', '/nodes/{node_id}', {}, 400],
  [
    'PUT',
    'nodes/n1/heartbeat',
    '/nodes/{node_id}/heartbeat',
    { metrics: { cpu_usage: 3, active_connections: 1 } },
    200,
  ],
  ['PUT', 'nodes/no/heartbeat', '/nodes/{node_id}/heartbeat', {}, 404],
  ['PUT', 'agents/chat/a', '/agents/{type}/{key}', { node_id: 'n1', capabilities: ['x'], weight: 3 }, 201],
  ['PUT', 'agents/chat/a', '/agents/{type}/{key}', { node_id: 'n2' }, 412],
  ['PUT', 'agents/chat/%2f', '/agents/{type}/{key}', { node_id: 'n1' }, 400],
  ['POST', 'agents/chat', '/agents/{type}', { node_id: 'n1' }, 201],
  ['GET', 'nodes', '/nodes', undefined, 200],
  ['GET', 'nodes/n1', '/nodes/{node_id}', undefined, 200],
  ['GET', 'nodes/no', '/nodes/{node_id}', undefined, 404],
  ['GET', 'agents?limit=1', '/agents', undefined, 200],
  ['GET', 'agents?limit=0', '/agents', undefined, 400],
  ['GET', 'agents/chat/a', '/agents/{type}/{key}', undefined, 200],
  ['GET', 'agents/chat/no', '/agents/{type}/{key}', undefined, 404],
  ['POST', 'select/chat', '/select/{type}', {}, 200],
  ['POST', 'select/none', '/select/{type}', {}, 404],
  ['GET', 'events?since=0', '/events', undefined, 410],
  ['DELETE', 'agents/chat/a?node_id=n2', '/agents/{type}/{key}', undefined, 409],
  ['DELETE', 'agents/chat/a', '/agents/{type}/{key}', undefined, 204],
  ['DELETE', 'nodes/n1?drain_s=30', '/nodes/{node_id}', undefined, 202],
  ['POST', 'select/chat', '/select/{type}', {}, 503],
  ['DELETE', 'nodes/n1', '/nodes/{node_id}', undefined, 204],
  ['DELETE', 'nodes/n1', '/nodes/{node_id}', undefined, 404],
]

/** Fields of an answer that its schema does not name. */
function unknownFields({ components }: OpenApi, schema: object | undefined, value: object | undefined) {
  const name = (schema as { $ref?: string } | undefined)?.$ref?.split('/').at(-1) ?? ''
  const { properties = {} } = (components.schemas[name] ?? {}) as { properties?: object }
  return Object.keys(value ?? {}).filter((field) => !Object.hasOwn(properties, field))
}

describe('the registry in the OpenAPI document', () => {
  it('has every call that is answered, and no other', async (t) => {
    const { gateway, document } = await served(t)
    const templates = [
      ['nodes', '/nodes'],
      ['nodes/x', '/nodes/{node_id}'],
      ['nodes/x/heartbeat', '/nodes/{node_id}/heartbeat'],
      ['nodes/x/y', ''],
      ['agents', '/agents'],
      ['agents/x', '/agents/{type}'],
      ['agents/x/y', '/agents/{type}/{key}'],
      ['select', ''],
      ['select/x', '/select/{type}'],
    ] as const
    const answered: string[] = [`GET ${ROOT}/events`]
    for (const [path, template] of templates) {
      for (const method of METHODS) {
        const { body } = await gateway.registry(method, path, method === 'GET' ? undefined : {})
        if (['NOT_FOUND', 'METHOD_NOT_ALLOWED'].includes(body?.error_code)) continue
        answered.push(`${method} ${ROOT}${template}`)
      }
    }
    assert.deepEqual(describedCalls(document), answered.sort())
  })

  it('describes bodies and answers as they are', async (t) => {
    const { gateway, document } = await served(t)
    const ajv = new Ajv2020({ strict: false, validateFormats: false })
    ajv.addSchema({ $id: 'doc', components: document.components })
    const fits = (schema: object, value: unknown, what: string) => {
      const validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"doc#/')))
      assert.ok(validate(value), `${what}: ${JSON.stringify(validate.errors)} of ${JSON.stringify(value)}`)
    }
    for (const [method, path, template, body, status] of CALLS) {
      const what = `${method} ${path} ${status}`
      const operation = document.paths[ROOT + template]![method.toLowerCase()]!
      const reply = await gateway.registry(method, path, body)
      assert.equal(reply.status, status, what)
      const described = operation.responses[status]
      assert.ok(described, `${what} is not described`)
      const schema = described.content?.['application/json']?.schema
      if (schema) fits(schema, reply.body, what)
      else assert.equal(reply.body, undefined, what)
      const taken = operation.requestBody?.content['application/json']?.schema
      if (taken && status < 400) fits(taken, body, what)
      assert.deepEqual(unknownFields(document, schema, reply.body), [], what)
    }
  })

  it('is not there where the registry is not', async () => {
    const { body } = await (await startAdmin()).send('GET', '/openapi.json')
    const { paths, components, tags } = body as OpenApi
    assert.deepEqual(
      Object.keys(paths).filter((path) => path.startsWith(ROOT)),
      [],
    )
    assert.deepEqual(Object.keys(components.securitySchemes), ['key'])
    assert.deepEqual(
      [...Object.keys(components.schemas), ...tags.map(({ name }) => name)].filter((name) =>
        name.startsWith('registry'),
      ),
      [],
    )
  })
})
