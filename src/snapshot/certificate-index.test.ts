import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CertificateIndex } from './certificate-index.ts'
import type { ServerCertificate } from './server-certificate.ts'

function certificate(id: string, ...names: string[]): ServerCertificate {
  const options = { cert: [], key: [] }
  return { id, names, options, protocols: undefined, clientCheck: undefined, refusal: undefined }
}

function idOf(index: CertificateIndex, name: string): string | undefined {
  return index.find(name)?.id
}

describe('certificates by name', () => {
  it('are found by their own name, then one label below a wildcard, then by *', () => {
    const index = CertificateIndex.EMPTY.with(
      [],
      [certificate('own', 'a.b.test'), certificate('wild', '*.b.test'), certificate('top', '*.test')],
    )
    const rows = [
      ['a.b.test', 'own'],
      ['c.b.test', 'wild'],
      ['b.test', 'top'],
      ['a.c.b.test', undefined],
      ['test', undefined],
    ] as const
    for (const [name, id] of rows) assert.equal(idOf(index, name), id, name)
    const withAny = index.with([], [certificate('any', '*')])
    for (const name of ['test', 'a.c.b.test', '']) assert.equal(idOf(withAny, name), 'any')
  })

  it('of one name are the one whose id comes first, in whatever order they came', () => {
    const [a, b] = [certificate('a', 'x.test'), certificate('b', 'x.test')]
    const both = CertificateIndex.EMPTY.with([], [b]).with([], [a])
    assert.equal(idOf(both, 'x.test'), 'a')
    assert.equal(idOf(both.with([a], []), 'x.test'), 'b')
    assert.equal(idOf(both.with([a, b], []), 'x.test'), undefined)
  })

  it('replace their former selves, names and all, and leave earlier copies alone', () => {
    const [before, after] = [certificate('1', 'x.test', 'y.test'), certificate('1', 'y.test', 'z.test')]
    const first = CertificateIndex.EMPTY.with([], [before])
    const second = first.with([before], [after])
    assert.deepEqual(
      ['x.test', 'y.test', 'z.test'].map((name) => second.find(name)),
      [undefined, after, after],
    )
    assert.equal(first.find('x.test'), before)
  })
})
