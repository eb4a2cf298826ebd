import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import fc from 'fast-check'
import { stringify } from 'yaml'
import { settingsKeys } from '../../test/support/settings-reference.ts'
import { describeSettings } from './describe.ts'
import { loadSettings } from './load.ts'
import { SettingsError } from './settings-error.ts'

/** Names that objects have of themselves are the ones that slip through look-ups. */
const AWKWARD = ['constructor', 'toString', '__proto__', 'hasOwnProperty', '<<', '', '0', 'a.b']

const anyName = fc.oneof(
  fc.constantFrom(...settingsKeys().map(({ name }) => name), ...AWKWARD),
  fc.string({ maxLength: 6 }),
)
const anyLeaf = fc.oneof(
  fc.constantFrom(null, true, false, 0, 1, 9080, -1, 1.5, Number.POSITIVE_INFINITY, Number.NaN),
  fc.constantFrom('', 'on', 'etcd', '${{X}}', '${{X:=1}}', '${{constructor:=d}}', '127.0.0.1', '/a'),
  fc.string({ maxLength: 6 }),
)
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof({ maxDepth: 5 }, anyLeaf, fc.array(tie('tree'), { maxLength: 3 }), tie('map'), tie('map')),
  map: fc.array(fc.tuple(anyName, tie('tree')), { maxLength: 4 }).map((entries) => new Map(entries as [])),
}))

/** A tree below a place where free content is allowed, so that it gets through to merging and description. */
const anyFile = fc.oneof(
  tree,
  tree.map((value) => ({ plugin_attr: value })),
  tree.map((value) => ({ plugin_attr: { x: value }, discovery: { y: value } })),
)

it('whatever a file holds, it loads or is refused with sentences', (t) => {
  const workingDirectory = mkdtempSync(join(tmpdir(), 'gatewright-any-'))
  t.after(() => rmSync(workingDirectory, { recursive: true }))
  let loaded = 0
  fc.assert(
    fc.property(anyFile, (content) => {
      writeFileSync(
        join(workingDirectory, 'config.yaml'),
        stringify(content, { aliasDuplicateObjects: false }),
      )
      try {
        describeSettings(loadSettings({ file: 'config.yaml', env: {}, workingDirectory }))
        loaded++
      } catch (error) {
        assert.ok(error instanceof SettingsError, error instanceof Error ? error.stack : String(error))
        assert.ok(error.problems.length > 0 && error.problems.every((problem) => problem.length > 10))
      }
    }),
    { numRuns: 300 },
  )
  assert.ok(loaded > 20, `only ${loaded} files were good; the property proves little`)
  assert.equal(({} as Record<string, unknown>)['x'], undefined, 'no prototype was written to')
})
