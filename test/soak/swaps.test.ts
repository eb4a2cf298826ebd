import assert from 'node:assert/strict'
import { it } from 'node:test'
import { linesOf, swapUnderLoad } from './swaps.ts'

it('requests and their bodies pass a swap of all workers and changes of configuration, on kept and new connections', async (t) => {
  const options = { requests: 2000, swaps: 1, changes: 5, limitMs: 90_000 }
  const result = await swapUnderLoad(t, options)
  t.diagnostic(linesOf(result)[0]!)
  assert.deepEqual(result.failures, [])
  const { sent, swaps, changes } = result
  assert.deepEqual({ swaps, changes }, { swaps: 1, changes: 5 })
  assert.ok(sent >= 2000, `${sent} requests`)
})
