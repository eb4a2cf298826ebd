import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { describe, it, type TestContext } from 'node:test'
import { definePlugin, type RequestContext } from '../../src/plugin/api.ts'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { rawConnect } from '../support/raw-client.ts'
import { eventually } from '../support/watch-recording.ts'

/** A gateway before an upstream that lets the test answer, and a plugin that notes how requests ended. */
async function stage(t: TestContext) {
  const held: ServerResponse[] = []
  let gone = 0
  const upstream = await fakeUpstream(t, (request, response) => {
    held.push(response)
    request.resume()
    response.on('close', () => {
      if (!response.writableFinished) gone++
    })
  })
  const ended: number[] = []
  let settle: () => void = () => {}
  const witness = definePlugin<{ wait?: boolean }>({
    name: 'witness',
    priority: 1,
    schema: { type: 'object', properties: { wait: { type: 'boolean' } } },
    compile: ({ wait }) => ({
      ...(wait && {
        access: () =>
          new Promise<undefined>((resolve) => {
            settle = () => resolve(undefined)
          }),
      }),
      log: (context: RequestContext) => void ended.push(context.response.status),
    }),
  })
  const to = { nodes: { [upstream.address]: 1 } }
  const gateway = await startGateway(
    t,
    {
      routes: {
        1: { uri: '/*', plugins: { witness: {} }, upstream: to },
        2: { uri: '/wait', plugins: { witness: { wait: true } }, upstream: to },
      } as never,
    },
    { plugins: { witness: async () => ({ default: witness }) } },
  )
  return { upstream, gateway, held, ended, gone: () => gone, settle: () => settle() }
}

describe('a client that leaves', () => {
  it('before the answer ends the request to the upstream, and counts as 499', async (t) => {
    const { gateway, held, ended, gone } = await stage(t)
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually('the upstream has the request', () => held.length === 1)
    client.socket.destroy()
    await eventually('the upstream is told', () => gone() === 1)
    assert.deepEqual(ended, [499])
  })

  it('in the middle of the answer ends the request to the upstream', async (t) => {
    const { gateway, held, ended, gone } = await stage(t)
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually('the upstream has the request', () => held.length === 1)
    held[0]!.write('part')
    await client.until(/part/)
    client.socket.destroy()
    await eventually('the upstream is told', () => gone() === 1)
    assert.deepEqual(ended, [200])
  })

  it('in the middle of its upload ends the request to the upstream', async (t) => {
    for (const framing of ['Content-Length: 100', 'Transfer-Encoding: chunked']) {
      const { gateway, held, gone, ended } = await stage(t)
      const client = await rawConnect(t, gateway.proxyPort)
      client.send(`POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n4\r\npart\r\n`)
      await eventually('the upstream has the request', () => held.length === 1)
      client.socket.destroy()
      await eventually('the upstream is told', () => gone() === 1)
      assert.equal(ended.length, 1)
    }
  })

  it('while a plugin still thinks never reaches the upstream', async (t) => {
    const { upstream, gateway, ended, settle } = await stage(t)
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('GET /wait HTTP/1.1\r\nHost: a\r\n\r\n')
    await new Promise((resolve) => setTimeout(resolve, 20))
    client.socket.destroy()
    await eventually('the request was ended', () => ended.length === 1)
    settle()
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual([ended, upstream.requests.length], [[499], 0])
  })

  it('takes the requests along that it had sent ahead', async (t) => {
    const { upstream, gateway, held, ended, gone } = await stage(t)
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually('the upstream has the first request', () => held.length === 1)
    client.socket.destroy()
    await eventually('the upstream is told', () => gone() === 1)
    assert.deepEqual(
      upstream.requests.map(({ url }) => url),
      ['/1'],
    )
    assert.deepEqual(ended, [499])
  })
})

describe('a call that a plugin makes for a client that leaves', () => {
  const openid = (address: string, discovery: string) => ({
    client_id: 'a',
    client_secret: 'b',
    discovery,
    introspection_endpoint: `http://${address}/introspect`,
    bearer_only: true,
    timeout: 60,
  })
  const plugins: Readonly<Record<string, (address: string, discovery: string) => Record<string, unknown>>> = {
    'forward-auth': (address) => ({ uri: `http://${address}/auth`, timeout: 60_000 }),
    opa: (address) => ({ host: `http://${address}`, policy: 'p', timeout: 60_000 }),
    'openid-connect': openid,
  }
  for (const [name, configOf] of Object.entries(plugins)) {
    it(`is given up by ${name}, and no failure of the service`, async (t) => {
      let gone = 0
      const service = await fakeUpstream(t, (request, response) => {
        request.resume()
        response.on('close', () => gone++)
      })
      const provider = await fakeUpstream(t, (_request, response) => {
        const issuer = `http://${provider.address}`
        response.end(JSON.stringify({ issuer, authorization_endpoint: issuer, token_endpoint: issuer }))
      })
      const node = await fakeUpstream(t)
      const config = configOf(service.address, `http://${provider.address}/.well-known/openid-configuration`)
      const gateway = await startGateway(t, {
        routes: { 1: { uri: '/*', plugins: { [name]: config }, upstream: { nodes: { [node.address]: 1 } } } },
      })
      const client = await rawConnect(t, gateway.proxyPort)
      client.send('GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n')
      await eventually('the service is asked', () => service.requests.length === 1, 30_000)
      client.socket.destroy()
      await eventually('the service is told', () => gone === 1, 30_000)
      assert.equal(node.requests.length, 0)
      assert.deepEqual(
        gateway.logs.filter(({ plugin }) => plugin === name),
        [],
      )
    })
  }
})
