import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { cpuTicksOf } from './cpu-time.ts'

describe('the processor time of a process', { skip: process.platform !== 'linux' }, () => {
  it('grows as it works', () => {
    const before = cpuTicksOf(process.pid)!
    const until = performance.now() + 20_000
    while (cpuTicksOf(process.pid)! < before + 5) assert.ok(performance.now() < until)
  })

  it('is unknown once it is gone', () => {
    assert.equal(cpuTicksOf(spawnSync('true').pid), undefined)
  })
})
