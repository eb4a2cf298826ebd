import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { HostsFile, parseHosts } from './hosts-file.ts'

describe('a hosts file', () => {
  it('gives names to addresses, in any case, with comments and blanks', () => {
    const table = parseHosts(
      '# all\n10.0.0.1\tApp  app.test # here\n\n::1 app\nno.address app\n10.0.0.1 app\n',
    )
    assert.deepEqual(
      [...table],
      [
        ['app', ['10.0.0.1', '::1']],
        ['app.test', ['10.0.0.1']],
      ],
    )
  })

  it('prefers IPv4, and is read again when it changes, appears or goes away', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'gatewright-hosts-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'hosts')
    const hosts = new HostsFile(path)
    assert.equal(hosts.find('app'), undefined)
    writeFileSync(path, '::1 app\n')
    assert.deepEqual(hosts.find('app'), ['::1'])
    writeFileSync(path, '::1 app\n10.0.0.1 app\n')
    assert.deepEqual(hosts.find('APP'), ['10.0.0.1'])
    rmSync(path)
    assert.equal(hosts.find('app'), undefined)
  })
})
