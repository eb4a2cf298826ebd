import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createAccessLog, type LoggedRequest } from './access-log.ts'
import { createLogger } from './logger.ts'

const REQUEST: LoggedRequest = {
  remoteAddr: '203.0.113.7',
  method: 'GET',
  rawTarget: '/a/path',
  httpVersion: '1.1',
  rawHost: 'example.com',
  upstreamScheme: undefined,
  sentHost: undefined,
  headers: { get: () => undefined },
  upstream: { target: '' },
  node: undefined,
  upstreamStatuses: undefined,
  response: { status: 404 },
  stats: { responseBodyBytes: 36, totalMs: 1, upstreamMs: undefined },
}

describe('the access log', () => {
  for (const isShared of [false, true]) {
    it(`has a whole line for each request, ${isShared ? 'several processes' : 'one process'} writing to it`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'gatewright-access-log-'))
      t.after(() => rmSync(folder, { recursive: true, force: true }))
      const path = join(folder, 'access.log')
      const open = () => createAccessLog(path, createLogger('silent'), { isShared })!
      const logs = isShared ? [open(), open()] : [open()]
      for (let i = 0; i < 1000; i++) logs[i % logs.length]!.write({ ...REQUEST, rawTarget: `/${i}` })
      await Promise.all(logs.map((log) => log.close()))
      const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
      const seen = lines.map((line) => /^203\.0\.113\.7 .*"GET \/(\d+) HTTP\/1\.1" 404 /.exec(line)?.[1])
      assert.deepEqual(
        seen.map(Number).sort((one, other) => one - other),
        [...Array(1000).keys()],
      )
    })
  }
})
