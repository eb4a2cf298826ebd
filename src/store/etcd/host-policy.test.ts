import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { GRPCUnavailableError } from 'etcd3'
import { hostPolicy, retryOnOtherHosts } from './host-policy.ts'

const refused = () =>
  Promise.reject(new GRPCUnavailableError('14 UNAVAILABLE: No connection established. ECONNREFUSED'))
const dropped = () => Promise.reject(new GRPCUnavailableError('14 UNAVAILABLE: Connection dropped'))

const lookUp = async () => undefined
const neverCalled = () => Promise.reject(new Error('called'))

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
    const policyOf = hostPolicy(2, { nowMs: () => nowMs, lookUp })
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
    const policyOf = hostPolicy(2, { nowMs: () => 0, lookUp })
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
    const policy = hostPolicy(2, { nowMs: () => nowMs, lookUp })('a')
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
    const policy = hostPolicy(1, { lookUp })('a')
    await assert.rejects(policy.execute(dropped))
    assert.equal(await policy.execute(async () => 'called'), 'called')
  })

  it('has a name looked up once at a time, and gives no call to gRPC meanwhile', async () => {
    const answers: (() => void)[] = []
    const asked: string[] = []
    const slowLookUp = (name: string) => {
      asked.push(name)
      return new Promise<void>((resolve) => answers.push(resolve))
    }
    const policy = hostPolicy(1, { lookUp: slowLookUp })('http://etcd-1.test:2379')
    let calls = 0
    const call = async () => ++calls
    const all = Promise.all(Array.from({ length: 100 }, () => policy.execute(call)))
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual([asked, calls], [['etcd-1.test'], 0])
    answers[0]!()
    await all
    await policy.execute(call)
    assert.deepEqual([asked.length, calls], [1, 101])
    await assert.rejects(policy.execute(dropped))
    const next = policy.execute(call)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(asked.length, 2, 'a connection that is given up takes another look-up')
    answers[1]!()
    await next
  })

  it('refuses calls, and asks no second time, while the name server is silent', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    let asked = 0
    const silent = () => {
      asked++
      return new Promise<void>(() => undefined)
    }
    const policy = hostPolicy(1, { lookUp: silent })('etcd-1.test:2379')
    for (let i = 0; i < 5; i++) {
      const refused = assert.rejects(
        policy.execute(neverCalled),
        /the name server does not answer for etcd-1\.test/,
      )
      await new Promise((resolve) => setImmediate(resolve))
      t.mock.timers.tick(1000)
      await refused
    }
    assert.equal(asked, 1)
  })

  it('passes over a host for a while whose name server does not answer', async () => {
    const asked: string[] = []
    const lookUpOf = async (name: string) => {
      asked.push(name)
      if (name === 'a.test') throw Object.assign(new Error('again'), { code: 'EAI_AGAIN' })
    }
    const policyOf = hostPolicy(2, { nowMs: () => 0, lookUp: lookUpOf })
    const [a, b] = [policyOf('http://a.test:2379'), policyOf('http://b.test:2379')]
    await assert.rejects(a.execute(neverCalled), /the name server does not answer for a\.test/)
    await assert.rejects(a.execute(neverCalled), /rests after a failure/)
    assert.equal(await b.execute(async () => 'called'), 'called')
    assert.deepEqual(asked, ['a.test', 'b.test'])
  })

  it('leaves it to gRPC to say that there is no such name', async () => {
    const lookUpInVain = () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }))
    const policy = hostPolicy(1, { lookUp: lookUpInVain })('http://etcd-1.test:2379')
    assert.equal(await policy.execute(async () => 'called'), 'called')
  })

  it('looks up no address', async () => {
    for (const host of ['http://127.0.0.1:2379', 'https://[::1]:2379', '10.0.0.1:2379']) {
      const policy = hostPolicy(1, { lookUp: neverCalled })(host)
      assert.equal(await policy.execute(async () => 'called'), 'called')
    }
  })
})
