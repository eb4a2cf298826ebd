import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { Server } from 'node:net'
import { describe, it } from 'node:test'
import { ConnectionGate, clientKey } from './connection-gate.ts'

describe('a client', () => {
  it('is its IPv4 address, also where that is mapped into IPv6', () => {
    assert.equal(clientKey('192.0.2.1'), '192.0.2.1')
    assert.equal(clientKey('::ffff:192.0.2.1'), clientKey('::ffff:192.0.2.1'))
    assert.notEqual(clientKey('::ffff:192.0.2.1'), clientKey('::ffff:192.0.2.2'))
  })

  it('is the first 64 bits of its IPv6 address', () => {
    assert.equal(clientKey('2001:db8::1'), clientKey('2001:db8:0:0:ffff::2'))
    assert.notEqual(clientKey('2001:db8::1'), clientKey('2001:db8:0:1::1'))
  })
})

describe('the gate', () => {
  it('counts those that came, those that were let in, and those that are open', () => {
    const gate = new ConnectionGate(
      { connections: 2, perClient: Number.POSITIVE_INFINITY, isProxy: () => false },
      () => {},
    )
    const server = new EventEmitter()
    gate.guard(server as Server)
    const sockets = [1, 2, 3].map(() => Object.assign(new EventEmitter(), { destroy: () => {} }))
    for (const socket of sockets) server.emit('connection', socket)
    sockets[0]!.emit('close')
    assert.deepEqual([gate.accepted, gate.handled, gate.open], [3, 2, 1])
  })
})
