import assert from 'node:assert/strict'
import { request } from 'node:http'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { refusal } from '../../src/testing/mount-plugin.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import clientControl from './index.ts'

/** A node that answers with the number of bytes it got, behind a route with the plugin. */
async function limited(
  t: Parameters<typeof startGateway>[0],
  max_body_size: number | undefined,
  settings: Record<string, unknown> = {},
) {
  const node = await fakeUpstream(t, (incoming, response) => {
    let bytes = 0
    incoming.on('data', (chunk: Buffer) => (bytes += chunk.length))
    incoming.on('end', () => response.end(String(bytes)))
  })
  const config = max_body_size === undefined ? {} : { max_body_size }
  const route = {
    uri: '/*',
    plugins: { 'client-control': config },
    upstream: { nodes: { [node.address]: 1 } },
  }
  const gateway = await startGateway(t, { routes: { 1: route } }, { settings })
  return {
    node,
    gateway,
    post: (size: number, isChunked = false) => post(gateway.proxyPort, size, isChunked),
  }
}

function post(port: number, size: number, isChunked: boolean): Promise<[status: number, body: string]> {
  return new Promise((resolve, reject) => {
    const headers = isChunked ? {} : { 'content-length': size }
    const sent = request({ port, method: 'POST', path: '/', headers, agent: false }, (response) => {
      let body = ''
      response.on('data', (chunk) => (body += chunk))
      response.on('end', () => resolve([response.statusCode!, body]))
    })
    sent.on('error', reject)
    if (isChunked) sent.write(Buffer.alloc(1))
    sent.end(Buffer.alloc(isChunked ? size - 1 : size))
  })
}

describe('client-control', () => {
  it('refuses a longer body with 413, announced or in chunks, and lets one of just that length through', async (t) => {
    const { node, post } = await limited(t, 10)
    assert.deepEqual(await post(10), [200, '10'])
    assert.deepEqual(await post(10, true), [200, '10'])
    const refused = [413, '{"error_msg":"413 Payload Too Large"}\n']
    assert.deepEqual(await post(11), refused)
    assert.equal(node.requests.length, 2)
    assert.deepEqual(await post(11, true), refused)
  })

  it('lifts the limit of the settings from bodies in chunks, but not from those announced', async (t) => {
    const settings = { 'nginx_config.http.client_max_body_size': 10 }
    const { post } = await limited(t, 0, settings)
    assert.deepEqual(await post(100, true), [200, '100'])
    assert.equal((await post(11))[0], 413)
    assert.equal((await (await limited(t, undefined, settings)).post(11, true))[0], 413)
  })

  it('refuses a limit that is none', () => {
    assert.match(refusal(clientControl, { max_body_size: -1 }) ?? '', /expected -1 to be at least 0/)
    assert.match(refusal(clientControl, { max_body_size: '1m' }) ?? '', /wrong type: expected integer/)
  })
})
