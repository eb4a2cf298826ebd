import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { importBreaches, isTestCode, type Room, renderRoom } from './architecture/rooms.ts'
import * as rules from './architecture/rules.ts'
import { type SourceFacts, scan } from './architecture/scan.ts'

/** Who may import whom. CONTRIBUTING.md shows the same rows; what is not listed is a breach. Node's own modules are free. */
const ROOMS: readonly Room[] = [
  { folder: 'src/lib', mayImport: [], packages: ['re2js (only safe-pattern-linear.ts)'] },
  {
    folder: 'src/model',
    mayImport: ['src/lib'],
    packages: ['ajv', 'json-schema-to-ts (T)', 'protobufjs (only proto.ts)'],
  },
  { folder: 'src/observe', mayImport: ['src/lib'], packages: ['pino'] },
  { folder: 'src/expr', mayImport: ['src/lib'], packages: [] },
  { folder: 'src/settings', mayImport: ['src/lib', 'src/model'], packages: ['yaml'] },
  { folder: 'src/secret', mayImport: ['src/lib', 'src/model', 'src/observe'], packages: [] },
  {
    folder: 'src/store',
    mayImport: ['src/lib', 'src/model', 'src/observe'],
    packages: ['etcd3 (only etcd)', 'lmdb (only embedded-store.ts)', 'yaml (only yaml-text.ts)'],
  },
  {
    folder: 'src/discovery',
    mayImport: ['src/lib', 'src/model', 'src/observe', 'src/store (T)'],
    packages: [],
  },
  {
    folder: 'src/registry',
    mayImport: ['src/lib', 'src/model', 'src/observe', 'src/store', 'src/discovery (T)'],
    packages: [],
  },
  { folder: 'src/registry-client', mayImport: [], packages: [] },
  { folder: 'src/router', mayImport: ['src/lib', 'src/model', 'src/expr'], packages: [] },
  {
    folder: 'src/plugin',
    mayImport: ['src/lib', 'src/model', 'src/observe', 'src/expr'],
    packages: [
      ...['fastify (T)', 'fastify-plugin (only mount.ts)', 'graphql (only context/graphql.ts)'],
      'json-schema-to-ts (T)',
    ],
  },
  { folder: 'src/lifecycle', mayImport: ['src/lib', 'src/observe'], packages: [] },
  {
    folder: 'src/upstream',
    mayImport: ['src/lib', 'src/model', 'src/observe', 'src/discovery'],
    packages: ['undici'],
  },
  {
    folder: 'src/snapshot',
    mayImport: [
      ...['src/lib', 'src/model', 'src/observe', 'src/expr', 'src/secret', 'src/store (T)', 'src/discovery'],
      ...['src/router', 'src/upstream', 'src/plugin'],
    ],
    packages: [],
  },
  {
    folder: 'src/proxy',
    mayImport: ['src/lib', 'src/model', 'src/observe', 'src/upstream', 'src/plugin', 'src/snapshot (T)'],
    packages: ['undici'],
  },
  {
    folder: 'src/stream',
    mayImport: ['src/lib', 'src/model', 'src/observe', 'src/upstream', 'src/plugin', 'src/snapshot (T)'],
    packages: ['undici'],
  },
  {
    folder: 'src/control',
    mayImport: [
      ...['src/lib', 'src/model', 'src/observe', 'src/settings (T)', 'src/upstream', 'src/plugin'],
      'src/snapshot (T)',
    ],
    packages: ['fastify', 'fastify-plugin'],
  },
  {
    folder: 'src/http',
    mayImport: [
      ...['src/lib', 'src/model', 'src/observe', 'src/settings (T)', 'src/plugin', 'src/snapshot (T)'],
      'src/proxy',
    ],
    packages: ['fastify', 'fastify-plugin', '@fastify/http-proxy', '@fastify/under-pressure'],
  },
  {
    folder: 'src/gateway',
    mayImport: [
      ...['src/lib', 'src/model', 'src/observe', 'src/expr', 'src/settings', 'src/secret', 'src/store'],
      ...['src/discovery', 'src/router', 'src/plugin', 'src/lifecycle', 'src/upstream', 'src/snapshot'],
      ...['src/proxy', 'src/stream', 'src/control', 'src/http', 'src/registry', 'admin/api/deps.ts (T)'],
    ],
    packages: ['fastify', 'fastify-plugin'],
  },
  { folder: 'src/authoring', mayImport: ['src/plugin (T)'], packages: ['tsx (lazy)'] },
  {
    folder: 'src/testing',
    mayImport: [
      ...['src/lib', 'src/model', 'src/observe', 'src/settings', 'src/store (T)', 'src/plugin', 'src/proxy'],
      ...['src/gateway', 'plugins/catalogue.ts', 'admin/api/index.ts'],
    ],
    packages: [],
  },
  {
    folder: 'src/cli',
    mayImport: [
      ...['src/lib', 'src/model', 'src/settings', 'src/lifecycle', 'src/gateway', 'src/authoring'],
      ...['plugins/catalogue.ts', 'admin/api/index.ts'],
    ],
    packages: [],
  },
  { folder: 'src/main.ts', mayImport: ['src/cli'], packages: [] },
  { folder: 'plugins/_shared', mayImport: ['src/plugin/api.ts', 'src/lib'], packages: ['ioredis (lazy)'] },
  {
    folder: 'plugins/<name>',
    mayImport: ['src/plugin/api.ts', 'src/lib', 'plugins/_shared'],
    packages: ['* (lazy)'],
  },
  { folder: 'plugins/catalogue.ts', mayImport: ['plugins/<name>', 'src/plugin (T)'], packages: [] },
  {
    folder: 'admin/api',
    mayImport: [
      ...['src/lib', 'src/model', 'src/observe', 'src/settings (T)', 'src/store'],
      ...['src/snapshot/decode.ts', 'src/snapshot/validate.ts', 'src/plugin', 'src/registry'],
    ],
    packages: ['fastify', 'fastify-plugin'],
  },
]

const CAPS: rules.Caps = { fileLines: 400, functionLines: 60, parameters: 3 }
/** Slot numbers index one array per request, so they are handed out once for the whole process. */
const STATEFUL = ['src/plugin/context/slot.ts']
const DRAWERS = ['util', 'utils', 'helper', 'helpers', 'common', 'misc', 'manager', 'base', 'core']
const FOLDERS = ['src', 'plugins', 'admin', 'test']
const SKIPPED = new Set(['node_modules', 'dist', 'ui'])
const ROOT = resolve(import.meta.dirname, '..')

function pathsBelow(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return []
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : pathsBelow(`${folder}/${entry.name}`)
    return [`${folder}/${entry.name}`]
  })
}

const paths = FOLDERS.flatMap(pathsBelow)
const sources = paths
  .filter((path) => /\.(ts|js)$/.test(path))
  .map((path) => scan(path, readFileSync(join(ROOT, path), 'utf8')))
const product = sources.filter(({ path }) => !isTestCode(path))

const noBreach = (breaches: readonly string[]) => assert.equal(breaches.join('\n'), '')

describe('the house', () => {
  it('lets no file import what its room may not', () => {
    noBreach(product.flatMap((facts) => importBreaches(facts, ROOMS)))
  })

  it('shows the import table in CONTRIBUTING.md as it is enforced', () => {
    const guide = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8').replaceAll('`', '')
    noBreach(ROOMS.map(renderRoom).filter((row) => !guide.includes(row)))
  })

  it('keeps files and functions small', () => {
    noBreach(product.flatMap((facts) => rules.sizeBreaches(facts, CAPS)))
  })

  it('has no drawers', () => {
    noBreach(paths.flatMap((path) => rules.nameBreaches(path, DRAWERS)))
  })

  it('has no banner lines and no promises of later', () => {
    noBreach(sources.flatMap(rules.commentBreaches))
  })

  it('keeps no state in modules', () => {
    noBreach(product.filter(({ path }) => !STATEFUL.includes(path)).flatMap(rules.stateBreaches))
  })

  it('gives every plugin its index.ts, README.md and test', () => {
    noBreach(rules.pluginFolderBreaches(paths))
  })

  it('lists every plugin in the catalogue, in alphabetical order', () => {
    const catalogue = sources.find(({ path }) => path === 'plugins/catalogue.ts')
    assert.ok(catalogue, 'plugins/catalogue.ts is missing')
    noBreach(rules.catalogueBreaches(catalogue, rules.pluginNames(paths)))
  })
})

describe('the test of the house', () => {
  const importsOf = (path: string, source: string) => importBreaches(scan(path, source), ROOMS).length

  const forbidden: [path: string, source: string][] = [
    ['src/lib/a.ts', `import { b } from '../model/b.ts'`],
    ['src/lib/a.ts', `import yaml from 'yaml'`],
    ['src/lib/a.ts', `export * from '../model/b.ts'`],
    ['src/lib/a.ts', `const b = () => import('../model/b.ts')`],
    ['src/lib/a.ts', `export let b: import('../model/b.ts').B`],
    ['src/model/a.ts', `import { FromSchema } from 'json-schema-to-ts'`],
    ['src/plugin/a.ts', `import { type FastifyInstance } from 'fastify'`],
    ['src/plugin/run.ts', `import fp from 'fastify-plugin'`],
    ['src/proxy/a.ts', `import { Publisher } from '../snapshot/publisher.ts'`],
    ['src/store/memory-store.ts', `import { Etcd3 } from 'etcd3'`],
    ['src/http/a.ts', `import { b } from '../http-other/b.ts'`],
    ['src/gateway/a.ts', `import { catalogue } from '../../plugins/catalogue.ts'`],
    ['src/store/a.ts', `import { testStore } from './store-contract.ts'`],
    ['plugins/key-auth/index.ts', `import x from '../basic-auth/index.ts'`],
    ['plugins/key-auth/index.ts', `import { run } from '../../src/plugin/run.ts'`],
    ['plugins/key-auth/index.ts', `import redis from 'ioredis'`],
    ['plugins/_shared/limit/a.ts', `import x from '../../limit-count/index.ts'`],
    ['admin/api/a.ts', `import { compile } from '../../src/snapshot/compile.ts'`],
    ['src/elsewhere/a.ts', ''],
  ]
  for (const [path, source] of forbidden) {
    it(`flags ${path}: ${source || 'a folder outside the table'}`, () =>
      assert.equal(importsOf(path, source), 1))
  }

  const permitted: [path: string, source: string][] = [
    ['src/lib/a.ts', `import { readFile } from 'node:fs/promises'`],
    ['src/lib/a.ts', `import { b } from './b.ts'`],
    ['src/model/a.ts', `import type { FromSchema } from 'json-schema-to-ts'`],
    ['src/plugin/mount.ts', `import fp from 'fastify-plugin'`],
    ['src/proxy/a.ts', `import type { Snapshot } from '../snapshot/snapshot.ts'`],
    ['src/store/etcd/client.ts', `import { Etcd3 } from 'etcd3'`],
    ['src/http/a.ts', `import proxy from '@fastify/http-proxy'`],
    ['plugins/key-auth/index.ts', `import { a } from './a.ts'\nimport { b } from '../_shared/auth/b.ts'`],
    ['plugins/key-auth/index.ts', `const redis = () => import('ioredis')`],
    ['plugins/catalogue.ts', `const keyAuth = () => import('./key-auth/index.ts')`],
    ['admin/api/a.ts', `import { validate } from '../../src/snapshot/validate.ts'`],
  ]
  for (const [path, source] of permitted) {
    it(`lets ${path}: ${source}`, () => assert.equal(importsOf(path, source), 0))
  }

  const bodyOf = (lines: number) => '\n'.repeat(lines - 1)
  const sized: [source: string, expected: RegExp | undefined][] = [
    [`${bodyOf(401)}1`, /401 lines, at most 400: it is two files/],
    [`${bodyOf(400)}1\n`, undefined],
    [`function long() {${bodyOf(61)}}`, /a\.ts:1 long has 61 lines, at most 60/],
    [`const long = () => {${bodyOf(61)}}`, /long has 61 lines/],
    [`class A { long() {${bodyOf(61)}} }`, /long has 61 lines/],
    [`function fits() {${bodyOf(60)}}`, undefined],
    ['function f(a, b, c, ...d) {}', /f takes 4 parameters, at most 3/],
    ['export const f = { g(a, b, { c }, d = 1) {} }', /g takes 4 parameters/],
    ['function f(this: Date, a, b, c) {}', undefined],
    ['app.addHook("onSend", (request, reply, payload, done) => done())', undefined],
  ]
  for (const [source, expected] of sized) {
    it(`${expected ? 'flags' : 'lets pass'} ${JSON.stringify(source.replace(/\n+/g, ' … ').slice(0, 50))}`, () => {
      const breaches = rules.sizeBreaches(scan('src/lib/a.ts', source), CAPS)
      if (expected) assert.match(breaches.join('\n'), expected)
      else assert.deepEqual(breaches, [])
    })
  }

  const commented: [source: string, count: number][] = [
    ['// ---- parsing ----', 1],
    ['// ==========', 1],
    ['/**********\n * parsing\n */', 1],
    ['// TODO: later', 1],
    ['/** A table: | a | --- | and a rule of `-----BEGIN CERTIFICATE-----`. */', 0],
    ['const line = "// -----"', 0],
  ]
  for (const [source, count] of commented) {
    it(`${count ? 'flags' : 'lets pass'} the comment in ${JSON.stringify(source)}`, () => {
      assert.equal(rules.commentBreaches(scan('src/lib/a.ts', source)).length, count)
    })
  }

  it('flags the names of drawers, in files and folders, as whole words only', () => {
    const flagged = [
      'src/utils/a.ts',
      'src/lib/string-helpers.ts',
      'test/common.ts',
      'src/upstream/pool-manager.ts',
    ]
    for (const path of flagged) assert.equal(rules.nameBreaches(path, DRAWERS).length, 1, path)
    assert.deepEqual(rules.nameBreaches('plugins/basic-auth/database.ts', DRAWERS), [])
  })

  it('flags variables of a module, not those of a function', () => {
    const stateOf = (source: string) => rules.stateBreaches(scan('src/lib/a.ts', source)).length
    assert.equal(stateOf('export let current = 1\nvar other = 2'), 2)
    assert.equal(stateOf('const fixed = 1\nfunction f() { let a = 1; return a }'), 0)
  })

  it('flags a plugin folder without its three files', () => {
    const breaches = rules.pluginFolderBreaches([
      'plugins/a/index.ts',
      'plugins/_shared/b/c.ts',
      'plugins/catalogue.ts',
    ])
    assert.deepEqual(breaches, ['plugins/a has no README.md', 'plugins/a has no a.test.ts'])
  })

  it('flags a catalogue that lacks a plugin, invents one or is out of order', () => {
    const catalogueOf = (...names: string[]): SourceFacts =>
      scan('plugins/catalogue.ts', names.map((name) => `() => import('./${name}/index.ts')`).join(';\n'))
    assert.deepEqual(rules.catalogueBreaches(catalogueOf('a', 'b'), ['a', 'b']), [])
    assert.match(rules.catalogueBreaches(catalogueOf('a'), ['a', 'b']).join(), /lacks b/)
    assert.match(rules.catalogueBreaches(catalogueOf('a', 'c'), ['a']).join(), /invents c/)
    assert.match(
      rules.catalogueBreaches(catalogueOf('b', 'a'), ['a', 'b']).join(),
      /a out of alphabetical order/,
    )
  })

  it('does not read a file that does not parse as one without faults', () => {
    assert.throws(() => scan('src/lib/a.ts', 'const = 1'), /src\/lib\/a\.ts does not parse/)
  })
})
