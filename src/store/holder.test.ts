import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { describeThisProcess, isAlive } from './holder.ts'

describe('the holder of a directory', () => {
  const here = describeThisProcess()

  it('is alive while its process runs', () => {
    assert.equal(isAlive(here), true)
  })

  it('is gone when its process has ended', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    assert.equal(isAlive({ ...here, pid: child.pid ?? 0 }), false)
  })

  it('is gone when another process has its pid now', { skip: here.incarnation === '' }, () => {
    assert.equal(isAlive({ ...here, incarnation: 'some earlier boot/1' }), false)
  })

  it('is gone when it ran on another host, which nothing here can see', () => {
    assert.equal(isAlive({ ...here, host: 'a-container-that-was-replaced' }), false)
  })
})
