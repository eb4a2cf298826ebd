import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { ADMIN_KEY, startGateway } from '../../src/testing/start-gateway.ts'
import { makeCertificate } from '../support/certificates.ts'

const ROUTE = { uri: '/a', plugins: {} }

describe('a path that cannot be decoded', () => {
  for (const target of ['/apisix/admin/routes/%zz', '/%', '/%E0%A4%A']) {
    it(`${target} gets the answer of any other bad one`, async (t) => {
      const { addresses } = await startGateway(t)
      const response = await fetch(`http://127.0.0.1:${addresses.admin!.port}${target}`, {
        headers: { 'x-api-key': ADMIN_KEY },
      })
      assert.equal(response.headers.get('content-type'), 'application/json')
      assert.deepEqual([response.status, await response.json()], [400, { error_msg: '400 Bad Request' }])
    })
  }
})

describe('the audit log of a gateway', () => {
  const isAudit = (line: Readonly<Record<string, unknown>>) => line['audit'] === true

  it('stands among the other lines by default', async (t) => {
    const gateway = await startGateway(t)
    await gateway.put('routes', '1', ROUTE)
    await gateway.admin('GET', 'routes/1')
    const lines = gateway.logs.filter(isAudit)
    assert.equal(lines.length, 1)
    const { level, event, actor, method, resource, id, status, listener } = lines[0]!
    assert.deepEqual(
      { level, event, actor, method, resource, id, status, listener },
      {
        level: 30,
        event: 'write',
        actor: 'admin',
        method: 'PUT',
        resource: 'routes',
        id: '1',
        status: 201,
        listener: 'admin',
      },
    )
    assert.ok(!JSON.stringify(gateway.logs).includes(ADMIN_KEY))
  })

  it('stands in a file of its own when one is named', async (t) => {
    const gateway = await startGateway(t, {}, { settings: { 'gatewright.log.audit_log': 'audit.log' } })
    const path = join(gateway.directory, 'audit.log')
    await gateway.put('routes', '1', ROUTE)
    const [line, ...more] = (await readFile(path, 'utf8')).split('\n')
    assert.deepEqual(more, [''])
    const { audit, event, revisionAfter } = JSON.parse(line!)
    assert.deepEqual([audit, event, typeof revisionAfter], [true, 'write', 'number'])
    assert.deepEqual(gateway.logs.filter(isAudit), [])
  })

  it('is not written when it is off', async (t) => {
    const gateway = await startGateway(t, {}, { settings: { 'gatewright.log.audit_log': 'off' } })
    await gateway.put('routes', '1', ROUTE)
    assert.deepEqual(gateway.logs.filter(isAudit), [])
  })
})

describe('the admin API over TLS', () => {
  const server = makeCertificate({ names: ['admin.test', '127.0.0.1'] })
  const client = makeCertificate({ names: ['operator'] })
  const stranger = makeCertificate({ names: ['stranger'] })

  async function start(t: TestContext, withClients: boolean): Promise<number> {
    const files = { 'cert.pem': server.cert, 'key.pem': server.key, 'ca.pem': client.cert }
    const gateway = await startGateway(
      t,
      {},
      {
        files,
        settings: {
          'deployment.admin.https_admin': true,
          'deployment.admin.admin_api_mtls': {
            admin_ssl_cert: 'cert.pem',
            admin_ssl_cert_key: 'key.pem',
            ...(withClients && { admin_ssl_ca_cert: 'ca.pem' }),
          },
        },
      },
    )
    return gateway.addresses.admin!.port
  }

  function get(port: number, identity: { cert?: string; key?: string } = {}): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port,
        path: '/apisix/admin/routes',
        headers: { 'x-api-key': ADMIN_KEY },
        ca: server.cert,
        agent: false,
        ...identity,
      } as const
      request(options, (response) => {
        response.resume().on('end', () => resolve(response.statusCode))
      })
        .on('error', reject)
        .end()
    })
  }

  it('answers with the certificate of the settings, and only with TLS', async (t) => {
    const port = await start(t, false)
    assert.equal(await get(port), 200)
    await assert.rejects(fetch(`http://127.0.0.1:${port}/apisix/admin/routes`))
  })

  it('asks clients for a certificate of its authorities when it has any', async (t) => {
    const port = await start(t, true)
    assert.equal(await get(port, client), 200)
    await assert.rejects(get(port))
    await assert.rejects(get(port, stranger))
  })

  it('does not start with a file that is not there', async (t) => {
    await assert.rejects(
      startGateway(
        t,
        {},
        {
          settings: {
            'deployment.admin.https_admin': true,
            'deployment.admin.admin_api_mtls': { admin_ssl_cert: 'none.pem', admin_ssl_cert_key: 'none.pem' },
          },
        },
      ),
      /deployment\.admin\.admin_api_mtls\.admin_ssl_cert: cannot be read: ENOENT/,
    )
  })
})
