import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FrameEdges } from './frame-edges.ts'

/** A binary frame with a payload of so many bytes. */
function frame(length: number, isMasked = false): Buffer {
  const bit = isMasked ? 0x80 : 0
  const head =
    length < 126
      ? [0x82, bit | length]
      : length < 65_536
        ? [0x82, bit | 126, length >> 8, length & 255]
        : [0x82, bit | 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255]
  return Buffer.concat([Buffer.from(head), Buffer.alloc(isMasked ? 4 : 0, 9), Buffer.alloc(length, 0xff)])
}

const LENGTHS = [0, 1, 125, 126, 300, 65_535, 65_536, 70_000]

describe('the edges of frames', () => {
  it('are found whatever the length, masked or not', () => {
    for (const isMasked of [false, true]) {
      for (const length of LENGTHS) {
        const edges = new FrameEdges()
        const bytes = frame(length, isMasked)
        assert.equal(edges.take(Buffer.concat([bytes, frame(3)])), bytes.length, `${length}`)
        assert.equal(edges.isAtEdge, true)
      }
    }
  })

  it('are found wherever the bytes are cut', () => {
    const bytes = frame(300, true)
    for (let cut = 1; cut < bytes.length; cut++) {
      const edges = new FrameEdges()
      assert.equal(edges.take(bytes.subarray(0, cut)), -1)
      assert.equal(edges.isAtEdge, false)
      assert.equal(edges.take(bytes.subarray(cut)), bytes.length - cut)
      assert.equal(edges.isAtEdge, true)
    }
  })

  it('are told of the first frame that ends, and of where the last one stands', () => {
    const edges = new FrameEdges()
    assert.equal(edges.isAtEdge, true)
    assert.equal(edges.take(Buffer.concat([frame(0), frame(5), frame(9).subarray(0, 4)])), 2)
    assert.equal(edges.isAtEdge, false)
    assert.equal(edges.take(frame(9).subarray(4)), 7)
    assert.equal(edges.take(Buffer.alloc(0)), -1)
  })
})
