import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { loadSettings } from './load.ts'
import { SettingsError } from './settings-error.ts'

function attributes(t: TestContext, yaml: string): unknown {
  const workingDirectory = mkdtempSync(join(tmpdir(), 'gatewright-settings-'))
  t.after(() => rmSync(workingDirectory, { recursive: true }))
  writeFileSync(join(workingDirectory, 'config.yaml'), yaml)
  const { settings } = loadSettings({ file: 'config.yaml', env: {}, workingDirectory })
  return JSON.parse(
    JSON.stringify(settings.plugin_attr['proxy-cache']).replaceAll(settings.gatewright.data_dir, '/data'),
  )
}

describe('the zones of proxy_cache', () => {
  it('reach the plugin as attributes, in bytes, milliseconds and absolute folders', (t) => {
    assert.deepEqual(attributes(t, ''), {
      cache_ttl_ms: 10_000,
      zones: [
        {
          name: 'disk_cache_one',
          memory_bytes: 52_428_800,
          folder: '/data/cache/disk_cache_one',
          disk_bytes: 1_073_741_824,
          levels: [1, 2],
        },
        { name: 'memory_cache', memory_bytes: 52_428_800 },
      ],
    })
  })

  it('are read as APISIX writes them, beside attributes of the plugin', (t) => {
    const yaml = `
apisix:
  proxy_cache:
    cache_ttl: 1m
    zones: [{name: d, memory_size: 1m, disk_size: 2G, disk_path: /tmp/x, cache_levels: "2:2"}]
plugin_attr: {proxy-cache: {lock_timeout: 3}}
`
    const zone = { name: 'd', memory_bytes: 1_048_576, folder: '/tmp/x', disk_bytes: 2 ** 31, levels: [2, 2] }
    assert.deepEqual(attributes(t, yaml), { lock_timeout: 3, cache_ttl_ms: 60_000, zones: [zone] })
  })

  it('are refused when two have one name or one folder, or a value that means nothing', (t) => {
    const problems = (zones: string) => {
      try {
        attributes(t, `apisix: {proxy_cache: {zones: ${zones}}}`)
      } catch (error) {
        assert.ok(error instanceof SettingsError, String(error))
        return error.problems.join('\n')
      }
      return ''
    }
    const twice = '[{name: a, memory_size: 1m, disk_path: x}, {name: a, memory_size: 1m, disk_path: x}]'
    assert.match(problems(twice), /two zones have the name "a"[\s\S]*two zones have the disk_path "x"/)
    assert.match(problems('[{name: a}]'), /memory_size/)
    assert.match(problems('[{name: a, memory_size: much}]'), /much/)
    assert.match(problems('[{name: a, memory_size: 1m, disk_path: x, cache_levels: "3"}]'), /cache_levels/)
  })
})
