import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Upstream } from '../../src/model/types.ts'
import { fakeUpstream, rawUpstream, refusingAddress } from '../../src/testing/fake-upstream.ts'
import { type StartOptions, startGateway, type TestGateway } from '../../src/testing/start-gateway.ts'

const SHOWN = { 'apisix.show_upstream_status_in_response_header': true }

function gatewayTo(
  t: TestContext,
  upstream: Partial<Upstream>,
  settings: StartOptions['settings'] = SHOWN,
): Promise<TestGateway> {
  return startGateway(t, { routes: { 1: { uri: '/*', upstream } } }, { settings })
}

/** Higher is asked first. */
function inOrder(...addresses: readonly string[]): NonNullable<Upstream['nodes']> {
  return addresses.map((address, index) => {
    const [host = '', port] = address.split(':')
    return { host, port: Number(port), weight: 1, priority: addresses.length - index }
  })
}

interface Answer {
  readonly status: number
  readonly attempts: string | null
  readonly text: string
}

async function ask(gateway: TestGateway, init?: RequestInit): Promise<Answer> {
  const response = await fetch(gateway.proxyUrl, init)
  return {
    status: response.status,
    attempts: response.headers.get('x-apisix-upstream-status'),
    text: await response.text(),
  }
}

/** Reads the request and closes without a word. */
function breaking(t: TestContext, seen: string[] = []): Promise<string> {
  return rawUpstream(t, (socket) => {
    socket.once('data', (bytes) => {
      seen.push(bytes.toString())
      socket.destroy()
    })
  })
}

describe('a failed attempt', () => {
  it('that was refused is made again at the next node, whatever the method', async (t) => {
    const good = await fakeUpstream(t)
    for (const method of ['GET', 'POST', 'PATCH', 'LOCK']) {
      const gateway = await gatewayTo(t, { nodes: inOrder(await refusingAddress(), good.address) })
      const answer = await ask(gateway, { method, ...(method !== 'GET' && { body: 'b' }) })
      assert.deepEqual(answer, { status: 200, attempts: '502, 200', text: 'ok' }, method)
    }
  })

  it('that had been sent is made again for a GET, HEAD, PUT, DELETE and OPTIONS, not for a POST or PATCH', async (t) => {
    const good = await fakeUpstream(t)
    for (const [method, attempts] of [
      ['GET', '502, 200'],
      ['HEAD', '502, 200'],
      ['PUT', '502, 200'],
      ['DELETE', '502, 200'],
      ['OPTIONS', '502, 200'],
      ['POST', '502'],
      ['PATCH', '502'],
    ] as const) {
      const gateway = await gatewayTo(t, { nodes: inOrder(await breaking(t), good.address) })
      assert.equal((await ask(gateway, { method })).attempts, attempts, method)
    }
  })

  it('is made again with its body up to 64 KiB, and not beyond', async (t) => {
    const received: number[] = []
    const good = await fakeUpstream(t, (request, response) => {
      let size = 0
      request.on('data', (chunk: Buffer) => {
        size += chunk.length
      })
      request.on('end', () => {
        received.push(size)
        response.end('ok')
      })
    })
    const gateway = await gatewayTo(t, {
      nodes: inOrder(
        await rawUpstream(t, (socket) => {
          let size = 0
          // Answers nothing until the whole body was read, so that no byte of it is left with the client.
          socket.on('data', (bytes) => {
            size += bytes.length
            if (size >= 64 * 1024) socket.destroy()
          })
        }),
        good.address,
      ),
    })
    const fits = await ask(gateway, { method: 'PUT', body: 'x'.repeat(64 * 1024) })
    assert.deepEqual([fits.status, fits.attempts, received], [200, '502, 200', [64 * 1024]])
    const exceeds = await ask(gateway, { method: 'PUT', body: 'x'.repeat(2 * 64 * 1024) })
    assert.deepEqual([exceeds.status, exceeds.attempts, received.length], [502, '502', 1])
  })

  it('is made once for each further node, then it is a 502', async (t) => {
    const nodes = inOrder(await refusingAddress(), await refusingAddress(), await refusingAddress())
    const answer = await ask(await gatewayTo(t, { nodes }, {}))
    assert.deepEqual([answer.status, answer.attempts], [502, '502, 502, 502'])
    assert.equal(answer.text, '{"error_msg":"502 Bad Gateway"}\n')
  })

  it('is made as often as `retries` says, and where no node is left it is told', async (t) => {
    const nodes = inOrder(await refusingAddress(), await refusingAddress(), await refusingAddress())
    assert.equal((await ask(await gatewayTo(t, { nodes, retries: 0 }))).attempts, '502')
    assert.equal((await ask(await gatewayTo(t, { nodes, retries: 1 }))).attempts, '502, 502')
    const { status, attempts } = await ask(await gatewayTo(t, { nodes, retries: 5 }))
    assert.deepEqual([status, attempts], [502, '502, 502, 502 :'])
  })

  it('is made again at the only node when `retries` says so', async (t) => {
    const nodes = { [await refusingAddress()]: 1 }
    assert.equal((await ask(await gatewayTo(t, { nodes }))).attempts, '502')
    assert.equal((await ask(await gatewayTo(t, { nodes, retries: 2 }))).attempts, '502, 502, 502')
  })

  it('is not made again after `retry_timeout`', async (t) => {
    const silent = await rawUpstream(t, () => {})
    const gateway = await gatewayTo(t, {
      nodes: inOrder(silent, silent, silent),
      timeout: { connect: 1, send: 1, read: 0.06 },
      retries: 2,
      retry_timeout: 0.1,
    })
    const { status, attempts } = await ask(gateway)
    assert.deepEqual([status, attempts], [502, '504, 504 :'])
  })

  it('is told in the header only when the last one is a 5xx, unless the setting says always', async (t) => {
    const good = await fakeUpstream(t)
    const bad = await fakeUpstream(t, (_request, response) => void response.writeHead(503).end())
    const quiet = await gatewayTo(t, { nodes: inOrder(await refusingAddress(), good.address) }, {})
    assert.equal((await ask(quiet)).attempts, null)
    assert.equal((await ask(await gatewayTo(t, { nodes: { [good.address]: 1 } }))).attempts, '200')
    assert.deepEqual(await ask(await gatewayTo(t, { nodes: { [bad.address]: 1 } }, {})), {
      status: 503,
      attempts: '503',
      text: '',
    })
  })
})

describe('a node that closes an idle connection just as it is used', () => {
  /** Serves the first request of each connection and breaks on the second. */
  async function racing(t: TestContext): Promise<{ address: string; seen: string[] }> {
    const seen: string[] = []
    const address = await rawUpstream(t, (socket) => {
      let count = 0
      socket.on('data', (bytes) => {
        seen.push(bytes.toString().split(' ')[0]!)
        if (++count === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        else socket.destroy()
      })
    })
    return { address, seen }
  }

  it('is asked once more on a fresh connection, without a retry being used up', async (t) => {
    const { address, seen } = await racing(t)
    const gateway = await gatewayTo(t, { nodes: { [address]: 1 } })
    // Two connections are idle, and both break: the one asked once more must be a new one.
    await Promise.all([ask(gateway), ask(gateway)])
    assert.equal((await ask(gateway)).status, 200)
    assert.deepEqual(seen, ['GET', 'GET', 'GET', 'GET'])
  })

  it('is not asked once more for a POST', async (t) => {
    const { address, seen } = await racing(t)
    const gateway = await gatewayTo(t, { nodes: { [address]: 1 } })
    await ask(gateway)
    assert.equal((await ask(gateway, { method: 'POST' })).status, 502)
    assert.deepEqual(seen, ['GET', 'POST'])
  })
})
