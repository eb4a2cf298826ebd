import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { createLogger } from '../observe/logger.ts'
import { type CheckedNode, type HealthReport, healthcheckRoutes } from './healthcheck.ts'
import { createControlListener } from './listener.ts'

const counter = { success: 1, http_failure: 2, tcp_failure: 3, timeout_failure: 4 }
const plain: CheckedNode = { ip: '10.0.0.1', port: 80, hostname: '10.0.0.1', status: 'healthy', counter }
const hostile: CheckedNode = {
  ip: '::1',
  port: 81,
  hostname: 'x',
  hostheader: `<script>"a"&'b'</script>`,
  status: 'unhealthy',
  counter,
  last_change: {
    from: 'healthy',
    reason: 'passive: <img src=x onerror=alert(1)>',
    at: '2026-01-01T00:00:00.000Z',
  },
}

async function ask(t: TestContext, accept: string | undefined, reports: readonly HealthReport[]) {
  const listener = createControlListener((app, _options, done) => {
    healthcheckRoutes(app, { all: () => reports, find: () => reports[0]! })
    done()
  }, createLogger('silent'))
  t.after(() => listener.close())
  const { ip, port } = await listener.listen({ ip: '127.0.0.1', port: 0 })
  const answer = await fetch(`http://${ip}:${port}/v1/healthcheck`, { headers: accept ? { accept } : {} })
  return { type: answer.headers.get('content-type'), text: await answer.text(), headers: answer.headers }
}

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

describe('/v1/healthcheck', () => {
  it('is a table for a browser, a row for each node, with the reason of its last change', async (t) => {
    const reports = [
      { name: '/apisix/upstreams/1', type: 'http', nodes: [plain, hostile] },
      { name: '/apisix/routes/2', type: 'tcp', nodes: [plain] },
    ]
    const { type, text, headers } = await ask(t, BROWSER, reports)
    assert.equal(type, 'text/html; charset=utf-8')
    assert.equal(headers.get('content-security-policy'), "default-src 'none'")
    const rows = text.match(/<tr><td>.*<\/tr>/g) ?? []
    assert.equal(rows.length, 3)
    assert.equal(
      rows[0],
      '<tr><td>/apisix/upstreams/1</td><td>http</td><td>10.0.0.1:80</td><td>10.0.0.1</td><td>healthy</td><td>1</td><td>3</td><td>2</td><td>4</td><td></td></tr>',
    )
    assert.match(rows[1]!, /<td>\[::1\]:81<\/td>/)
    assert.match(rows[1]!, /2026-01-01T00:00:00\.000Z: from healthy: passive/)
  })

  it('shows what came from outside as text', async (t) => {
    const name = '/apisix/upstreams/<b>'
    const { text } = await ask(t, BROWSER, [{ name, type: 'http', nodes: [hostile] }])
    assert.ok(text.includes('<td>/apisix/upstreams/&lt;b&gt;</td>'))
    assert.ok(text.includes('<td>&lt;script&gt;&quot;a&quot;&amp;&#39;b&#39;&lt;/script&gt;</td>'))
    assert.ok(text.includes('&lt;img src=x onerror=alert(1)&gt;'))
    assert.doesNotMatch(text, /<script|<img|<b>/)
  })

  it('is JSON for everybody else', async (t) => {
    for (const accept of [undefined, '*/*', 'application/json']) {
      const { type, text } = await ask(t, accept, [])
      assert.match(type ?? '', /^application\/json/)
      assert.equal(text, '[]\n')
    }
  })
})
