import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { allOperations, buildOpenApi } from '../../../admin/api/openapi/document.ts'
import { EXAMPLE_GROUPS } from '../../../admin/api/openapi/examples/index.ts'
import { toSchema2020 } from '../../../admin/api/openapi/json-schema.ts'
import { findOperation } from '../../../admin/api/openapi/operation.ts'
import { catalogue } from '../../../plugins/catalogue.ts'
import { PluginRegistry } from '../../../src/plugin/registry.ts'
import type { AdminScope } from '../../../src/settings/settings.ts'
import { sendExample, startForExamples, withCertificates } from '../../support/admin-examples.ts'
import { ADMIN_KEY, startAdmin, TEST_PLUGINS, VIEWER_KEY } from './start-admin.ts'

interface OpenApi {
  readonly openapi: string
  readonly paths: Record<
    string,
    Record<string, { readonly requestBody?: object; readonly responses: object }>
  >
  readonly components: { readonly schemas: Record<string, object> }
}

async function documentOfAll(): Promise<OpenApi> {
  const loaded = await Promise.all(Object.values(catalogue).map((load) => load()))
  const plugins = loaded.map((one) => one.default)
  return JSON.parse(JSON.stringify(buildOpenApi({ plugins, version: '1.2.3', hasRegistry: true })))
}

/** Knows every component; refuses keywords that JSON Schema 2020-12 does not have. */
function schemaReader({ components }: OpenApi): Ajv2020 {
  const ajv = new Ajv2020({
    strictSchema: true,
    strictTypes: false,
    strictRequired: false,
    validateFormats: false,
  })
  ajv.addVocabulary(['components'])
  ajv.addSchema({ $id: 'doc', components })
  return ajv
}

describe('each documented example', () => {
  for (const { name, examples } of EXAMPLE_GROUPS) {
    it(`of ${name} is answered as documented`, async () => {
      const admin = await startForExamples(name)
      for (const example of examples) {
        const { title, status, answer = '', has = {} } = example
        const shown = await sendExample(admin, example)
        const headers = Object.fromEntries(Object.keys(has).map((header) => [header, shown.headers[header]]))
        assert.deepEqual(
          { status: shown.status, answer: shown.body, headers },
          { status, answer, headers: has },
          title,
        )
      }
    })
  }

  it('belongs to an operation of its group or sets the scene for one', () => {
    const operations = allOperations()
    const lost = EXAMPLE_GROUPS.flatMap(({ examples }) => examples)
      .filter(({ status }) => status !== 405)
      .filter(({ method, path }) => findOperation(operations, method, path.split('?')[0]!) === undefined)
    assert.deepEqual(lost, [])
  })

  it('leaves no operation without one', () => {
    const operations = allOperations()
    const shown = new Set(
      EXAMPLE_GROUPS.flatMap(({ examples }) =>
        examples.map(({ method, path }) => findOperation(operations, method, path.split('?')[0]!)),
      ),
    )
    const bare = operations.filter((one) => !shown.has(one) && one.group !== 'openapi')
    assert.deepEqual(
      bare.map(({ method, path }) => `${method} ${path}`),
      [],
    )
  })
})

describe('the OpenAPI document', () => {
  it('is one of OpenAPI 3.1', async () => {
    const validator = new Validator()
    const { valid, errors } = await validator.validate({ ...(await documentOfAll()) })
    assert.equal(valid, true, JSON.stringify(errors, null, 1))
    assert.equal(validator.version, '3.1')
  })

  it('has schemas that are JSON Schema 2020-12, every reference leading somewhere', async () => {
    const document = await documentOfAll()
    const ajv = schemaReader(document)
    for (const name of Object.keys(document.components.schemas)) {
      ajv.compile({ $ref: `doc#/components/schemas/${name}` })
    }
  })

  it('has examples that its schemas allow', async () => {
    const document = await documentOfAll()
    const ajv = schemaReader(document)
    const fits = (schema: object, value: unknown, what: string) => {
      const validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"doc#/')))
      assert.ok(validate(withCertificates(value)), `${what}: ${JSON.stringify(validate.errors)}`)
    }
    const operations = allOperations()
    for (const { title, method, path, status, body, answer } of EXAMPLE_GROUPS.flatMap(
      (one) => one.examples,
    )) {
      const operation = findOperation(operations, method, path.split('?')[0]!)
      if (operation === undefined || status >= 400) continue
      const schema = operation.body?.['application/json']
      if (schema && typeof body === 'object') fits(schema, body, `body of ${method} ${path} (${title})`)
      const answered = operation.answers[status]
      if (answered && answer !== undefined) fits(answered, answer, `answer to ${method} ${path} (${title})`)
    }
  })

  it('names each operation once', async () => {
    const operations = Object.values((await documentOfAll()).paths).flatMap((item) => Object.values(item))
    const ids = operations.map((one) => (one as { operationId?: string }).operationId).filter(Boolean)
    assert.deepEqual(ids, [...new Set(ids)])
  })

  it('shows each example under the status it is answered with', async () => {
    const { paths } = await documentOfAll()
    const text = JSON.stringify(paths['/apisix/admin/routes/{id}']!['put'])
    for (const words of ['Create a route', '"201"', '"412"', 'A document that is not valid']) {
      assert.ok(text.includes(words), words)
    }
  })

  it('is served to a viewer, with the schemas of the enabled plugins', async () => {
    const admin = await startAdmin()
    const { status, body } = await admin.send('GET', '/openapi.json', {
      headers: { 'x-api-key': VIEWER_KEY },
    })
    const { openapi, components } = body as OpenApi
    assert.deepEqual([status, openapi], [200, '3.1.0'])
    const names = Object.keys(components.schemas).filter((name) => name.startsWith('plugins.test-'))
    assert.deepEqual(names, [
      'plugins.test-auth.config',
      'plugins.test-auth.consumer',
      'plugins.test-limit.config',
      'plugins.test-log.config',
      'plugins.test-log.metadata',
    ])
  })

  it('follows the list of plugins', async () => {
    const plugins = new PluginRegistry()
    plugins.register(TEST_PLUGINS.limit)
    plugins.register(TEST_PLUGINS.log)
    const admin = await startAdmin({ plugins })
    const tells = async () =>
      (await admin.send('GET', '/openapi.json')).text.includes('plugins.test-log.config')
    assert.equal(await tells(), true)
    plugins.setEnabled(['test-limit'])
    assert.equal(await tells(), false)
  })

  it('may be read by a key for single resources, unless it is for other kinds', async () => {
    const ask = async (scope: AdminScope) => {
      const keys = [{ key: ADMIN_KEY, role: 'admin', name: 'limited', scope } as const]
      return (await (await startAdmin({ keys })).send('GET', '/openapi.json')).status
    }
    assert.equal(await ask({ id_prefix: 'team-a-', label: { team: 'a' } }), 200)
    assert.equal(await ask({ resources: ['routes', 'openapi.json'] }), 200)
    assert.equal(await ask({ resources: ['routes'] }), 403)
  })

  it('asks for a key, has nothing below it, and is not written', async () => {
    const admin = await startAdmin()
    const ask = async (method: string, path: string, headers = {}) =>
      (await admin.send(method, path, { headers })).status
    assert.equal(await ask('GET', '/openapi.json', { 'x-api-key': undefined }), 401)
    assert.equal(await ask('GET', '/openapi.json/x'), 404)
    assert.equal(await ask('PUT', '/openapi.json'), 404)
  })
})

describe('a draft-7 schema', () => {
  it('has its dependencies parted and its lists of items respelled', () => {
    const converted = toSchema2020({
      items: [{ type: 'string' }, { items: { dependencies: { a: ['b'] } } }],
      additionalItems: false,
      dependencies: { a: ['b'], c: { required: ['d'] } },
    })
    assert.deepEqual(converted, {
      prefixItems: [{ type: 'string' }, { items: { dependentRequired: { a: ['b'] } } }],
      items: false,
      dependentRequired: { a: ['b'] },
      dependentSchemas: { c: { required: ['d'] } },
    })
  })
})
