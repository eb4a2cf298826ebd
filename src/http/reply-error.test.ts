import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Reply } from '../plugin/definition.ts'
import { renderReply } from './reply-error.ts'

const HTML = 'text/html,application/xhtml+xml'

interface Case {
  readonly what: string
  readonly reply: Reply
  readonly accept?: string
  readonly type: string | undefined
  readonly body: string
}

const CASES: readonly Case[] = [
  {
    what: 'a bare error as JSON',
    reply: { status: 502 },
    type: 'application/json',
    body: '{"error_msg":"502 Bad Gateway"}\n',
  },
  {
    what: 'a bare error as a page for who asks for HTML',
    reply: { status: 404 },
    accept: HTML,
    type: 'text/html; charset=utf-8',
    body: '<!doctype html>\n<html><head><title>404 Not Found</title></head>\n<body><h1>404 Not Found</h1></body></html>\n',
  },
  {
    what: 'a status without a name',
    reply: { status: 599 },
    type: 'application/json',
    body: '{"error_msg":"599 Error"}\n',
  },
  { what: 'a bare success as nothing', reply: { status: 200 }, accept: HTML, type: undefined, body: '' },
  {
    what: 'text as it is',
    reply: { status: 403, body: 'no' },
    accept: HTML,
    type: 'text/plain; charset=utf-8',
    body: 'no',
  },
  {
    what: 'an empty text as it is',
    reply: { status: 403, body: '' },
    type: 'text/plain; charset=utf-8',
    body: '',
  },
  {
    what: 'a table as JSON and a line end, whatever is accepted',
    reply: { status: 401, body: { message: 'no' } },
    accept: HTML,
    type: 'application/json',
    body: '{"message":"no"}\n',
  },
]

describe('an answer is rendered with', () => {
  for (const { what, reply, accept, type, body } of CASES) {
    it(what, () => {
      const rendered = renderReply(reply, accept)
      assert.equal(rendered.headers.get('content-type'), type)
      assert.equal(Buffer.from(rendered.body as Uint8Array).toString(), body)
    })
  }

  it('the headers of the plugin, which win', () => {
    const headers = { 'content-type': 'text/css', 'X-A': ['1', '2'] }
    const rendered = renderReply({ status: 200, body: 'a{}', headers }, undefined)
    assert.deepEqual(rendered.headers.raw(), ['content-type', 'text/css', 'X-A', '1', 'X-A', '2'])
  })
})
