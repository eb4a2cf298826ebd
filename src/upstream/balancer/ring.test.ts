import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { crc32 } from '../../lib/crc32.ts'
import { buildRing, chashId, ketamaId, locate } from './ring.ts'

const MAX_POINTS = 2 ** 20

describe('the id of a node on the ring', () => {
  it('is host, NUL and port for both kinds when the host has no colon', () => {
    const node = { address: '127.0.0.1:1980', weight: 1 }
    assert.equal(chashId(node), '127.0.0.1\u00001980')
    assert.equal(ketamaId(node), '127.0.0.1\u00001980')
  })

  it('of an IPv6 node loses every colon for chash, only that of the port for ketama', () => {
    const node = { address: '[::1]:1980', weight: 1 }
    assert.equal(chashId(node), '[\0\u00001]\u00001980')
    assert.equal(ketamaId(node), '[::1]\u00001980')
  })
})

describe('the ring', () => {
  it('has 160 points per weight unit, in ascending order', () => {
    const ring = buildRing([
      { id: 'a\u000080', weight: 1 },
      { id: 'b\u000080', weight: 2 },
    ])
    assert.equal(ring.hashes.length, 480)
    assert.equal(ring.owners.filter((owner) => owner === 1).length, 320)
    assert.deepEqual(
      [...ring.hashes],
      [...ring.hashes].sort((x, y) => x - y),
    )
  })

  it('chains each point from the one before, in little endian, the first from four zero bytes', () => {
    const id = 'a\u000080'
    const ring = buildRing([{ id, weight: 1 }])
    let previous = 0
    for (let i = 0; i < 160; i++) {
      const bytes = [0, 8, 16, 24].map((shift) => String.fromCharCode((previous >>> shift) & 0xff)).join('')
      previous = crc32(id + bytes)
      assert.ok(ring.hashes.includes(previous))
    }
  })

  it('keeps proportions and at least a point each when the weights ask for too many points', () => {
    const ring = buildRing([
      { id: 'a', weight: 3_000_000 },
      { id: 'b', weight: 1_000_000 },
      { id: 'c', weight: 1 },
      { id: 'd', weight: 0 },
    ])
    const counts = [0, 1, 2, 3].map((owner) => ring.owners.filter((of) => of === owner).length)
    assert.ok(ring.hashes.length <= MAX_POINTS + 1)
    assert.ok(Math.abs(counts[0]! / counts[1]! - 3) < 0.01)
    assert.deepEqual(counts.slice(2), [1, 0])
  })

  it('refuses more nodes than it can tell apart', () => {
    const members = Array.from({ length: 2 ** 21 + 1 }, () => ({ id: 'a', weight: 0 }))
    assert.throws(() => buildRing(members), {
      name: 'RangeError',
      message: /at most 2097152 nodes, got 2097153/,
    })
  })

  it('locates the first point at or after the hash and wraps past the last', () => {
    const hash = crc32('key')
    const owners = Uint32Array.from([0, 1, 2])
    const at = (...hashes: number[]) => locate({ hashes: Uint32Array.from(hashes), owners }, 'key')
    assert.equal(at(hash - 1, hash, hash + 1), 1)
    assert.equal(at(hash - 2, hash - 1, hash + 1), 2)
    assert.equal(at(hash - 3, hash - 2, hash - 1), 0)
  })
})
