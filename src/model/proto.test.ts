import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseProto } from './proto.ts'

const TEXT = `
  syntax = "proto3";
  package hello;
  message Request { string name = 1; }
  message Answer { string message = 1; repeated int64 codes = 2; }
  service Greeter { rpc Greet (Request) returns (Answer); }
`

/** `protoc --descriptor_set_out` of a message `t.A` with the string field `b`. */
const DESCRIPTOR_SET = Buffer.from('0a1c0a07742e70726f746f120174220e0a014112090a0162180120012809', 'hex')

describe('the content of a proto', () => {
  it('is the text of a .proto file', () => {
    const root = parseProto(TEXT)
    assert.equal(root.lookupService('hello.Greeter').methods['Greet']?.resolvedRequestType?.name, 'Request')
  })

  it('is a set of descriptors in base64', () => {
    const root = parseProto(DESCRIPTOR_SET.toString('base64'))
    assert.equal(root.lookupType('t.A').fields['b']?.type, 'string')
  })

  for (const [what, content] of [
    ['no proto', 'hello {'],
    ['base64 of something else', Buffer.from('this is not a descriptor').toString('base64')],
    ['a message that is not there', 'syntax = "proto3"; message A { Missing b = 1; }'],
  ] as const) {
    it(`is refused when it is ${what}`, () => {
      assert.throws(() => parseProto(content), /^Error: invalid content: /)
    })
  }
})
