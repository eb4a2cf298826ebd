import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { IRangeRequest, IRangeResponse } from 'etcd3'
import { StoreUnavailableError } from '../config-store.ts'
import { listAtOneRevision } from './etcd-list.ts'

const KEYS = Array.from({ length: 10 }, (_, i) => `/a/${i}`)

/** Pages over ten keys at revision 7; `fail` may refuse a request first. */
function fakeRange(fail: (request: IRangeRequest) => string | undefined) {
  const requests: IRangeRequest[] = []
  const read = async (request: IRangeRequest): Promise<IRangeResponse> => {
    requests.push(request)
    const failure = fail(request)
    if (failure !== undefined) throw new StoreUnavailableError('failed', { cause: new Error(failure) })
    const rest = KEYS.filter((key) => Buffer.compare(Buffer.from(key), request.key ?? Buffer.of()) >= 0)
    const page = rest.slice(0, Number(request.limit))
    const header = { cluster_id: '1', member_id: '1', revision: '7', raft_term: '1' }
    return { header, kvs: page.map(kvOf), more: page.length < rest.length, count: String(rest.length) }
  }
  return { read, requests }
}

function kvOf(key: string) {
  const revisions = { create_revision: '2', mod_revision: '3', version: '1', lease: '0' }
  return { key: Buffer.from(key), value: Buffer.from('v'), ...revisions }
}

describe('listAtOneRevision', () => {
  it('asks for each page after the first at the revision of the first', async () => {
    const { read, requests } = fakeRange(() => undefined)
    const listing = await listAtOneRevision(read, '/a/', 4)
    assert.deepEqual(
      listing.items.map((item) => item.key),
      KEYS,
    )
    assert.deepEqual(
      requests.map((request) => request.revision),
      [undefined, '7', '7'],
    )
  })

  it('begins again when its revision is compacted meanwhile, but not for ever', async () => {
    let refusals = 0
    const once = fakeRange((request) => {
      if (request.revision === undefined || refusals > 0) return undefined
      refusals++
      return 'etcdserver: mvcc: required revision has been compacted'
    })
    assert.equal((await listAtOneRevision(once.read, '/a/', 4)).items.length, 10)
    const always = fakeRange((request) =>
      request.revision === undefined ? undefined : 'etcdserver: mvcc: required revision has been compacted',
    )
    await assert.rejects(listAtOneRevision(always.read, '/a/', 4), StoreUnavailableError)
  })

  it('halves its pages when one is too large to receive', async () => {
    const { read, requests } = fakeRange((request) =>
      Number(request.limit) > 2
        ? '8 RESOURCE_EXHAUSTED: Received message larger than max (9 vs 8)'
        : undefined,
    )
    assert.equal((await listAtOneRevision(read, '/a/', 8)).items.length, 10)
    assert.deepEqual(
      requests.slice(0, 4).map((request) => request.limit),
      [8, 4, 2, 2],
    )
  })
})
