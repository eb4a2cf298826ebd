import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { GRPCUnavailableError } from 'etcd3'
import { hostPolicy, retryOnOtherHosts } from './host-policy.ts'

const refused = () =>
  Promise.reject(new GRPCUnavailableError('14 UNAVAILABLE: No connection established. ECONNREFUSED'))
const dropped = () => Promise.reject(new GRPCUnavailableError('14 UNAVAILABLE: Connection dropped'))

describe('retryOnOtherHosts', () => {
  it('tries once per host what certainly was not sent', async () => {
    let calls = 0
    const call = () => {
      calls++
      return refused()
    }
    await assert.rejects(retryOnOtherHosts(3).execute(call))
    assert.equal(calls, 3)
  })

  it('tries again what waited for a connection that another call then gave up', async () => {
    const outcomes = ['14 UNAVAILABLE: Channel closed before call started']
    const call = async () => {
      const text = outcomes.shift()
      if (text !== undefined) throw new GRPCUnavailableError(text)
      return 'called'
    }
    assert.equal(await retryOnOtherHosts(3).execute(call), 'called')
  })

  it('does not repeat what may have been sent', async () => {
    let calls = 0
    const call = () => {
      calls++
      return dropped()
    }
    await assert.rejects(retryOnOtherHosts(3).execute(call))
    assert.equal(calls, 1)
  })
})

describe('hostPolicy', () => {
  it('passes a host that failed over for a while, as long as another one is left', async () => {
    let nowMs = 0
    const policyOf = hostPolicy(2, () => nowMs)
    const [a, b] = [policyOf('a'), policyOf('b')]
    await assert.rejects(a.execute(dropped))
    await assert.rejects(
      a.execute(async () => 'called'),
      /rests after a failure/,
    )
    assert.equal(await b.execute(async () => 'called'), 'called')
    await assert.rejects(b.execute(dropped))
    assert.equal(await a.execute(async () => 'called'), 'called', 'all rest, so none may be passed over')
    nowMs += 10_000
    assert.equal(await b.execute(async () => 'called'), 'called')
  })

  it('takes no stream that opens for a sign of life', async () => {
    const policyOf = hostPolicy(2, () => 0)
    const [a, b] = [policyOf('a'), policyOf('b')]
    await assert.rejects(a.execute(dropped))
    await assert.rejects(b.execute(dropped))
    await a.execute(async () => ({ cancel: () => undefined }))
    assert.equal(await b.execute(async () => 'called'), 'called')
    await assert.rejects(
      a.execute(async () => 'called'),
      /rests after a failure/,
    )
  })

  it('passes over a host that lets a call wait, until it answers', async () => {
    let nowMs = 0
    const policy = hostPolicy(2, () => nowMs)('a')
    let answer = (_text: string): void => undefined
    const first = policy.execute(() => new Promise<string>((resolve) => (answer = resolve)))
    nowMs += 900
    assert.equal(await policy.execute(async () => 'called'), 'called')
    nowMs += 200
    await assert.rejects(
      policy.execute(async () => 'called'),
      /rests after a failure/,
    )
    answer('late')
    assert.equal(await first, 'late')
    assert.equal(await policy.execute(async () => 'called'), 'called')
  })

  it('never passes over the only host', async () => {
    const policy = hostPolicy(1)('a')
    await assert.rejects(policy.execute(dropped))
    assert.equal(await policy.execute(async () => 'called'), 'called')
  })
})
