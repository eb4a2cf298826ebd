import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLogger } from '../observe/logger.ts'
import { discoveryDumpRoutes } from './discovery-dump.ts'
import { createControlListener } from './listener.ts'

describe('/v1/discovery', () => {
  it('shows what a registry told, and 404 where there is no such view', async (t) => {
    const dump = { services: { app: [{ host: '10.0.0.1', port: 80, weight: 1 }] } }
    const listener = createControlListener((app, _options, done) => {
      discoveryDumpRoutes(app, { dumpDiscovery: (type) => (type === 'atlas' ? dump : undefined) })
      done()
    }, createLogger('silent'))
    t.after(() => listener.close())
    const { ip, port } = await listener.listen({ ip: '127.0.0.1', port: 0 })
    for (const [path, status, body] of [
      ['atlas/dump', 200, dump],
      ['dns/dump', 404, { error_msg: 'discovery type "dns" is not configured, or has nothing to dump' }],
      ['atlas/show_dump_file', 404, { error_msg: '404 Not Found' }],
    ] as const) {
      const answer = await fetch(`http://${ip}:${port}/v1/discovery/${path}`)
      assert.match(answer.headers.get('content-type') ?? '', /^application\/json/)
      assert.deepEqual([answer.status, await answer.json()], [status, body])
    }
  })
})
