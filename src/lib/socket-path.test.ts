import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { connectOptions, isSocketPath, showPlace } from './socket-path.ts'

describe('a place to connect to', () => {
  it('is an address with a port', () => {
    const place = { host: '10.0.0.1', port: 80 }
    assert.deepEqual(
      [isSocketPath(place.host), connectOptions(place), showPlace(place)],
      [false, place, '10.0.0.1:80'],
    )
  })

  it('is a Unix socket when a path stands in place of the address', () => {
    const place = { host: '/run/a.sock', port: 0 }
    assert.deepEqual(
      [isSocketPath(place.host), connectOptions(place), showPlace(place)],
      [true, { path: '/run/a.sock' }, 'unix:/run/a.sock'],
    )
  })
})
