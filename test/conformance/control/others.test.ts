import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { after, before, describe, it } from 'node:test'
import { VERSION } from '../../../src/lib/version.ts'
import { type Control, send, startControl } from './start-control.ts'

describe('the other endpoints of the control API', () => {
  const ends: (() => unknown)[] = []
  let control: Control
  before(async () => {
    control = await startControl({ after: (end) => void ends.unshift(end as () => unknown) })
  })
  after(async () => {
    for (const end of ends) await end()
  })

  it('POST /v1/gc answers 200 with nothing, whether or not garbage can be collected on demand', async (t) => {
    let collected = 0
    const original = globalThis.gc
    globalThis.gc = (() => void collected++) as unknown as NonNullable<typeof globalThis.gc>
    t.after(() => {
      if (original) globalThis.gc = original
      else Reflect.deleteProperty(globalThis, 'gc')
    })
    const shown = await control.send('POST', '/v1/gc')
    assert.deepEqual([shown.status, shown.text, collected], [200, '', 1])
    Reflect.deleteProperty(globalThis, 'gc')
    assert.equal((await control.send('POST', '/v1/gc')).status, 200)
  })

  it('does not look at what a request carries, or says it does', async () => {
    const url = `http://127.0.0.1:${control.addresses.control!.port}/v1/plugins/reload`
    for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain']) {
      for (const body of [undefined, '{']) {
        const headers = { 'content-type': type }
        const response = await fetch(url, { method: 'PUT', headers, ...(body !== undefined && { body }) })
        assert.deepEqual([response.status, await response.text()], [200, 'done'], `${type} ${body}`)
      }
    }
  })

  it('GET /v1/server_info says which process this is', async () => {
    const { status, body } = await control.send('GET', '/v1/server_info')
    const { id, boot_time, ...info } = body as Record<string, unknown>
    assert.deepEqual(
      [status, info],
      [200, { etcd_version: 'unknown', hostname: hostname(), version: VERSION }],
    )
    assert.match(String(id), /^[0-9a-f-]{36}$/)
    assert.ok(Math.abs(Date.now() / 1000 - Number(boot_time)) < 3600)
    assert.deepEqual((await control.send('GET', '/v1/server_info')).body, body)
  })

  for (const [method, path] of [
    ['GET', '/v1/gc'],
    ['GET', '/v1/plugins/reload'],
    ['POST', '/v1/plugins/reload'],
    ['POST', '/v1/routes'],
    ['DELETE', '/v1/route/1'],
    ['GET', '/v1'],
    ['GET', '/v2/routes'],
    ['GET', '/apisix/admin/routes'],
  ] as const) {
    it(`${method} ${path} is not there`, async () => {
      const shown = await control.send(method, path)
      assert.deepEqual([shown.status, shown.body], [404, { error_msg: '404 Not Found' }])
    })
  }
})

describe('the status API', () => {
  const ends: (() => unknown)[] = []
  let url: string
  before(async () => {
    const control = await startControl({ after: (end) => void ends.unshift(end as () => unknown) })
    url = `http://127.0.0.1:${control.addresses.status!.port}`
  })
  after(async () => {
    for (const end of ends) await end()
  })

  for (const path of ['/status', '/status/ready']) {
    it(`GET ${path} answers a gateway that serves with 200 and text`, async () => {
      const { status, text, type } = await send(`${url}${path}`)
      assert.deepEqual([status, text, type], [200, '{"status":"ok"}', 'text/plain; charset=utf-8'])
    })
  }

  it('has nothing else', async () => {
    assert.equal((await send(`${url}/v1/routes`)).status, 404)
    assert.equal((await send(`${url}/status`, 'POST')).status, 404)
  })
})
