import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { describe, it } from 'node:test'
import { createLogger } from '../observe/logger.ts'
import { ConnectionGate } from './connection-gate.ts'
import { ProxyApp } from './proxy-app.ts'

function app(lines: string[] = []): ProxyApp {
  const logger = createLogger('error', { write: (line: string) => void lines.push(line) })
  return new ProxyApp({
    handle: (request, response) => void response.end(`<${request.url}>`),
    logger,
    limits: {
      headBytes: 8192,
      headers: 20,
      headersTimeoutMs: 5000,
      keepAliveTimeoutMs: 5000,
      keepAliveRequests: 10,
      sendTimeoutMs: 5000,
      connectionDurationMs: 0,
    },
    gate: new ConnectionGate({ connections: 100, perClient: 100, isProxy: () => false }, () => {}),
    onRefused: () => {},
    onHttp2Cut: () => {},
    onLeave: () => {},
  })
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

describe('the proxy listeners', () => {
  it('serve on every address, and are all closed by a drain', async () => {
    const proxy = app()
    await proxy.mount()
    const addresses = await proxy.listen([
      { ip: '127.0.0.1', port: 0 },
      { ip: '127.0.0.1', port: 0 },
    ])
    for (const { port } of addresses) {
      const answer = await fetch(`http://127.0.0.1:${port}/a%2Fb?c`)
      assert.equal(await answer.text(), '</a%2Fb?c>')
    }
    assert.equal(await proxy.drain(AbortSignal.timeout(5000)), 0)
    await proxy.app.close()
    for (const { port } of addresses) assert.equal(await isListening(port), false)
  })

  it('leave nothing open when one of the addresses is taken', async (t) => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    t.after(() => taken.close())
    const { port } = taken.address() as { port: number }
    const free = createServer()
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve))
    const other = (free.address() as { port: number }).port
    await new Promise<void>((resolve) => free.close(() => resolve()))
    const proxy = app()
    await proxy.mount()
    const addresses = [port, other].map((number) => ({ ip: '127.0.0.1', port: number }))
    await assert.rejects(proxy.listen(addresses), { code: 'EADDRINUSE' })
    assert.equal(await isListening(other), false)
    await proxy.app.close()
  })

  it('tell of an error while they listen, and go on', async () => {
    const lines: string[] = []
    const proxy = app(lines)
    await proxy.mount()
    const [address] = await proxy.listen([{ ip: '127.0.0.1', port: 0 }])
    proxy.app.server.emit('error', new Error('too many open files'))
    assert.match(lines.join(), /too many open files/)
    assert.equal((await fetch(`http://127.0.0.1:${address!.port}/`)).status, 200)
    await proxy.drain(AbortSignal.timeout(5000))
    await proxy.app.close()
  })
})
