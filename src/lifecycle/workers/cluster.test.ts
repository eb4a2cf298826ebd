import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { becomePrimary } from './cluster.ts'
import type { ForkedProcess } from './worker-process.ts'

/** Forks with another program than Node; `path` is none that can be started. */
function forkWith(t: TestContext, path: string): ForkedProcess {
  const { execPath } = process
  t.after(() => {
    process.execPath = execPath
  })
  const fork = becomePrimary({ file: 'worker.js', args: [] })
  process.execPath = path
  return fork()
}

describe('a worker that the system does not start', () => {
  for (const [why, path] of [
    ['ENOENT', '/nowhere/node'],
    ['ERR_INVALID_ARG_VALUE', '/nowhere/\0'],
  ] as const) {
    it(`has ended, as far as the primary is concerned (${why})`, async (t) => {
      const forked = forkWith(t, path)
      const closed = new Promise<void>((resolve) => forked.onClose(resolve))
      const how = await new Promise<string>((resolve) => forked.onExit(resolve))
      assert.match(how, /^not started: .*(ENOENT|null bytes)/)
      await closed
      const failure = await new Promise<Error | null>((resolve) => forked.send({}, resolve))
      assert.ok(failure)
      forked.kill()
    })
  }
})
