import assert from 'node:assert/strict'
import { it } from 'node:test'
import { spawnNode } from '../support/spawn-node.ts'

const REQUESTS = 300

it('two workers start with the log as it is by default, and have a whole line for each request', async (t) => {
  const node = await spawnNode(t, { workers: 2, gatewright: { log: {} } })
  const ask = async (number: number) => {
    const headers = { connection: 'close', 'user-agent': `client/${number} ${'x'.repeat(200)}` }
    const response = await fetch(`${node.proxyUrl}/line/${number}`, { headers })
    await response.text()
    return response.status
  }
  const statuses = await Promise.all(Array.from({ length: REQUESTS }, (_, number) => ask(number)))
  assert.deepEqual(new Set(statuses), new Set([404]))
  node.signal('SIGTERM')
  assert.equal(await node.exited, 0)
  const lines = node.output().split('\n')
  const whole = /^127\.0\.0\.1 - - \[[^\]]+\] \S+ "GET \/line\/(\d+) HTTP\/1\.1" 404 .*"client\/\1 x{200}"/
  const seen = lines.flatMap((line) => whole.exec(line)?.[1] ?? [])
  assert.deepEqual(
    seen.map(Number).sort((one, other) => one - other),
    [...Array(REQUESTS).keys()],
  )
})
