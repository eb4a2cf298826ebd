import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import type { Outcome } from './redos-requests.ts'

const SCRIPT = join(import.meta.dirname, 'redos-requests.ts')
const DEADLINE_MS = 60_000
/** Generous: with an engine that backtracks there is no end at all. */
const CPU_LIMIT_MS = 2000

describe('50,000 characters that a pattern like (a+)+$ just fails to match', () => {
  it('class redos: cost no user of patterns more than a moment, and change no result', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', SCRIPT], {
      timeout: DEADLINE_MS,
      killSignal: 'SIGKILL',
    })
    const outcomes = JSON.parse(stdout) as Outcome[]
    assert.deepEqual(Object.fromEntries(outcomes.map(({ name, result }) => [name, result])), {
      'vars, no match': '404 ',
      'vars, match': '200 5',
      'regex_uri, no match': '200 7',
      'regex_uri, match': '200 6',
      cors: '200 1',
      'ua-restriction': '403 ',
      'ua-restriction, match': '403 ',
      // It passed: this is the node's own answer to so long a query.
      'uri-blocker': '431 ',
      'uri-blocker, match': '403 ',
      redirect: '200 1',
      'redirect, match': '302 ',
      'response filter': true,
      'skip_mtls_uri_regex, no match': 400,
      'skip_mtls_uri_regex, match': 200,
      'admin filter': 0,
    })
    for (const { name, cpuMs } of outcomes) assert.ok(cpuMs < CPU_LIMIT_MS, `${name} took ${cpuMs} ms`)
  })
})
