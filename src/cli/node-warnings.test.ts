import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { nodeWarnings } from './node-warnings.ts'

function warningsOf(t: TestContext, text: string | undefined): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-check-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'apisix.yaml')
  if (text !== undefined) writeFileSync(path, text)
  return nodeWarnings({ store: { type: 'file', prefix: '', path, format: 'yaml' } }, { SCHEME: 'https' })
}

const upstream = (id: string, rest: string) => `  - { id: ${id}, nodes: { "10.0.0.1:443": 1 }, ${rest} }\n`

describe('a check of a file store', () => {
  it('names the resources whose nodes are spoken to over TLS unchecked', async (t) => {
    const text = `upstreams:
${upstream('unchecked', 'scheme: https')}${upstream('off', 'scheme: grpcs, tls: { verify: false }')}${upstream('checked', 'scheme: https, tls: { verify: true }')}${upstream('plain', 'scheme: http')}
routes:
  - { id: 7, uri: /a, upstream: { nodes: { "10.0.0.1:443": 1 }, scheme: $\{{SCHEME}} } }
  - { id: 8, uri: /b, upstream_id: unchecked }
services:
  - { id: 9, upstream: { nodes: { "10.0.0.1:443": 1 }, scheme: https, tls: { verify: true } } }
#END
`
    assert.deepEqual(await warningsOf(t, text), [
      'the certificates of nodes are not checked in upstreams/unchecked, upstreams/off, routes/7; set tls.verify: true in the upstream to have them checked',
    ])
  })

  it('names no more than five', async (t) => {
    const many = Array.from({ length: 7 }, (_, index) => upstream(`u${index}`, 'scheme: https')).join('')
    assert.match((await warningsOf(t, `upstreams:\n${many}#END\n`))[0]!, /upstreams\/u4 and 2 more;/)
  })

  it('says why the file cannot be used, and nothing about one in order', async (t) => {
    assert.match((await warningsOf(t, undefined))[0]!, /apisix\.yaml cannot be used as it stands: ENOENT/)
    assert.match((await warningsOf(t, 'routes: []\n'))[0]!, /its last line is not #END/)
    assert.deepEqual(await warningsOf(t, 'routes: []\n#END\n'), [])
  })

  it('does not open other stores', async () => {
    assert.deepEqual(await nodeWarnings({ store: { type: 'memory', prefix: '/apisix' } }, {}), [])
  })
})
