import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { fakeUpstream } from '../../src/testing/fake-upstream.ts'
import { mountPlugin, refusal } from '../../src/testing/mount-plugin.ts'
import { startGateway } from '../../src/testing/start-gateway.ts'
import plugin from './index.ts'

async function sent(
  request: Record<string, unknown>,
  body: string,
  headers = {},
  target = '/',
): Promise<string> {
  const answer = await mountPlugin(plugin, { request }).request({ method: 'POST', target, body, headers })
  assert.equal(answer.status, 200, answer.body)
  return answer.sent!.body
}

const MULTIPART = [
  '--sep',
  'Content-Disposition: form-data; name="title"',
  '',
  'Grüße',
  '--sep',
  'content-disposition: form-data; name="file"; filename="a.txt"',
  'Content-Type: text/plain',
  '',
  'line one\r\nline two',
  '--sep--',
  '',
].join('\r\n')

describe('body-transformer', () => {
  it('reads JSON, XML, forms, query arguments, multipart and plain bodies', async () => {
    const xml = '<?xml version="1.0"?><user kind="admin"><name>jack</name><tag>a</tag><tag>b</tag></user>'
    const cases: readonly [
      config: Record<string, unknown>,
      body: string,
      result: string,
      headers?: object,
      target?: string,
    ][] = [
      [{ input_format: 'json', template: '{{user.name}}' }, '{"user": {"name": "jack"}}', 'jack'],
      [
        { input_format: 'xml', template: '{{user.name}} {{user._attr.kind}} {{user.tag[2]}}' },
        xml,
        'jack admin b',
      ],
      [{ input_format: 'encoded', template: '{{a}} {{b[2]}}' }, 'a=1+x&b=2&b=3', '1 x 3'],
      [{ input_format: 'args', template: '{{a}}' }, 'ignored', 'q r', {}, '/?a=q%20r'],
      [{ input_format: 'plain', template: '[{{_body}}]' }, 'any', '[any]'],
      [
        { template: '{{title}} {*file*}' },
        MULTIPART,
        'Grüße line one\r\nline two',
        { 'content-type': 'multipart/form-data; boundary=sep' },
      ],
      [{ template: '{{a}}' }, '{"a": 1}', '1', { 'content-type': 'application/json; charset=utf-8' }],
      [{ template: '{{_ctx.var.uri}} {{_ctx.var.arg_x}}{{a}}' }, 'anything', '&#47;p 1', {}, '/p?x=1'],
      [{ input_format: 'json', template: Buffer.from('<{{a}}>').toString('base64') }, '{"a": 1}', '<1>'],
      [
        {
          input_format: 'plain',
          template: Buffer.from('{{_body}}').toString('base64'),
          template_is_base64: true,
        },
        'x',
        'x',
      ],
      [{ input_format: 'json', template: 'constant!' }, '', 'constant!'],
    ]
    for (const [config, body, result, headers, target] of cases) {
      assert.equal(await sent(config, body, headers, target), result, JSON.stringify(config))
    }
  })

  it('answers 400 for a body that is not what it should be, 503 where the template cannot take it', async () => {
    const json = mountPlugin(plugin, { request: { input_format: 'json', template: '{{a.b}}' } })
    const bad = await json.request({ method: 'POST', body: '{' })
    assert.equal(bad.status, 400)
    assert.match(JSON.parse(bad.body).message, /^request body decode: /)
    const missing = await json.request({ method: 'POST', body: '{}' })
    assert.equal(missing.status, 503)
    assert.equal(JSON.parse(missing.body).message, 'request template rendering: attempt to index a nil value')
    const multipart = mountPlugin(plugin, { request: { input_format: 'multipart', template: '{{a}}' } })
    assert.equal((await multipart.request({ method: 'POST', body: 'x' })).status, 400)
    const bounded = mountPlugin(plugin, { request: { template: 'x' }, max_req_body_size: 3 })
    assert.equal((await bounded.request({ method: 'POST', body: 'long' })).status, 413)
  })

  it('expands no entities of an XML document', async () => {
    const bomb = `<!DOCTYPE x [<!ENTITY a "${'x'.repeat(100)}"><!ENTITY b "${'&a;'.repeat(100)}"><!ENTITY c "${'&b;'.repeat(100)}">]><x>&c;</x>`
    const answer = await mountPlugin(plugin, {
      request: { input_format: 'xml', template: '{{#x}}' },
    }).request({
      method: 'POST',
      body: bomb,
    })
    if (answer.status === 200) assert.ok(Number(answer.sent!.body) < 10_000, answer.sent!.body)
    else assert.equal(answer.status, 400)
    const file = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>'
    const leak = await mountPlugin(plugin, { request: { input_format: 'xml', template: '{{x}}' } }).request({
      method: 'POST',
      body: file,
    })
    assert.ok(!(leak.sent?.body ?? leak.body).includes('root:'))
  })

  it('transforms responses, the own 400 among them, and drops the headers that are no longer true', async () => {
    const mounted = mountPlugin(plugin, {
      request: { input_format: 'json', template: '{{a}}' },
      response: { input_format: 'json', template: '<r>{{message or user.name}}</r>' },
    })
    const upstream = {
      headers: { 'Content-Type': 'application/json', 'Content-Length': '24', ETag: '"1"' },
      body: ['{"user": {"na', 'me": "jack"}}'],
    }
    const answer = await mounted.request({
      method: 'POST',
      body: '{"a": 1}',
      headers: { 'accept-encoding': 'gzip' },
      upstream,
    })
    assert.equal(answer.body, '<r>jack</r>')
    assert.equal(answer.headers.get('etag'), undefined)
    assert.equal(answer.headers.get('content-type'), 'application/json')
    assert.equal(answer.sent?.headers.get('accept-encoding'), undefined)
    const own = await mounted.request({ method: 'POST', body: '{' })
    assert.equal(own.status, 400)
    assert.match(own.body, /^<r>request body decode: /)
  })

  it('reads responses that an upstream has packed without being asked', async () => {
    const mounted = mountPlugin(plugin, { response: { input_format: 'json', template: '{{a}}' } })
    const packed = (encoding: string, body: Buffer) =>
      mounted.request({ upstream: { headers: { 'Content-Encoding': encoding }, body: [body] } })
    for (const [encoding, pack] of [
      ['gzip', gzipSync],
      ['br', brotliCompressSync],
    ] as const) {
      const answer = await packed(encoding, pack('{"a": "plain"}'))
      assert.equal(answer.body, 'plain')
      assert.equal(answer.headers.has('content-encoding'), false)
    }
    const unknown = await packed('zstd', Buffer.from('{"a": "as it came"}'))
    assert.equal(unknown.body, '{"a": "as it came"}')
    assert.equal(unknown.headers.get('content-encoding'), 'zstd')
    await assert.rejects(packed('gzip', Buffer.from('{"a": "no gzip"}')), /cannot be unpacked/)
  })

  it('lets a response go on as it is when it cannot be transformed or is too long', async () => {
    const mounted = mountPlugin(plugin, {
      response: { input_format: 'json', template: '{{a}}' },
      max_resp_body_size: 10,
    })
    assert.equal((await mounted.request({ upstream: { body: 'no json' } })).body, 'no json')
    const long = ['{"a": ', '1, "b": "longer"', '}']
    assert.equal((await mounted.request({ upstream: { body: long } })).body, long.join(''))
  })

  it('says what is wrong with a template when it is stored', () => {
    assert.equal(
      refusal(plugin, { request: { template: '{{a' } }) ??
        refusal(plugin, { request: { template: '{{a..}}' } }),
      'request template compile: a name expected near the end',
    )
    assert.match(refusal(plugin, {}) ?? '', /.+/)
    assert.match(refusal(plugin, { request: { template: 'x', input_format: 'yaml' } }) ?? '', /input_format/)
  })

  it('turns JSON into XML and back in a whole gateway', async (t) => {
    const upstream = await fakeUpstream(t, (request, response) => {
      let body = ''
      request.on('data', (chunk) => (body += chunk))
      request.on('end', () =>
        response.end(`<answer><to>${/<name>(.*)<\/name>/.exec(body)?.[1]}</to></answer>`),
      )
    })
    const gateway = await startGateway(t)
    await gateway.put('routes', '1', {
      uri: '/*',
      plugins: {
        'body-transformer': {
          request: { input_format: 'json', template: '<user><name>{*_escape_xml(name)*}</name></user>' },
          response: { input_format: 'xml', template: '{"to": {*_escape_json(answer.to)*}}' },
        },
      },
      upstream: { type: 'roundrobin', nodes: { [upstream.address]: 1 } },
    })
    const response = await fetch(gateway.proxyUrl, { method: 'POST', body: '{"name": "Tom"}' })
    assert.deepEqual(await response.json(), { to: 'Tom' })
  })
})
