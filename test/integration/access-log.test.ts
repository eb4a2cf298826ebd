import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import { rawConnect, rawRequest } from '../support/raw-client.ts'
import { eventually } from '../support/watch-recording.ts'

describe('the access log', () => {
  it('has one line for each request, however it ended, and nothing a client sends can break out of its field', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'gatewright-log-'))
    t.after(() => rm(directory, { recursive: true, force: true }))
    const file = join(directory, 'access.log')
    const upstream = await fakeUpstream(t, (request, response) => {
      if (request.url !== '/hold') response.end('hello')
    })
    const gateway = await startGateway(
      t,
      { routes: { 1: { uri: '/*', hosts: ['a'], upstream: { nodes: { [upstream.address]: 1 } } } } },
      { settings: { 'gatewright.log.access_log': file } },
    )
    const ask = (target: string, lines = '') =>
      rawRequest(gateway.proxyPort, `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lines}\r\n`)
    await ask('/plain?q=1')
    await ask('/agent', 'User-Agent: x" 200 "\\\tcaf\xc3\xa9\r\nReferer: r"r\r\n')
    await fetch(`${gateway.proxyUrl}/none`)
    const client = await rawConnect(t, gateway.proxyPort)
    client.send('GET /hold HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually('the upstream has the request', () => upstream.requests.at(-1)?.url === '/hold')
    client.socket.destroy()
    await gateway.stop()
    const lines = (await readFile(file, 'utf8')).split('\n')
    assert.equal(lines.length, 5)
    const time = String.raw`\[[^\]]+\]`
    const node = upstream.address.replaceAll('.', '\\.')
    const seconds = String.raw`\d+\.\d{3}`
    const expected = [
      `127\\.0\\.0\\.1 - - ${time} a "GET /plain\\?q=1 HTTP/1\\.1" 200 5 ${seconds} "-" "-" ${node} 200 ${seconds} "http://a/plain\\?q=1"`,
      `127\\.0\\.0\\.1 - - ${time} a "GET /agent HTTP/1\\.1" 200 5 ${seconds} "r\\\\x22r" "x\\\\x22 200 \\\\x22\\\\x5C\\\\x09caf\\\\xC3\\\\xA9" .*`,
      `127\\.0\\.0\\.1 - - ${time} 127\\.0\\.0\\.1:\\d+ "GET /none HTTP/1\\.1" 404 \\d+ ${seconds} "-" "node" - - - "-"`,
      `127\\.0\\.0\\.1 - - ${time} a "GET /hold HTTP/1\\.1" 499 0 ${seconds} "-" "-" ${node} - ${seconds} "http://a/hold"`,
    ]
    for (const [index, pattern] of expected.entries()) {
      assert.match(lines[index]!, new RegExp(`^${pattern}$`))
    }
  })
})
