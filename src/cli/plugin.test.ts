import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { PROGRAM } from '../../test/support/program.ts'

function emptyFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-own-plugins-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Runs one command line to its end. */
async function gatewright(cwd: string, ...args: readonly string[]) {
  const child = spawn(process.execPath, [...PROGRAM, ...args], {
    cwd,
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
  const [code] = await once(child, 'close')
  return { code, said }
}

/** Settings of a gateway whose ports the system chooses. */
function configure(cwd: string, gatewright: object = {}): void {
  // Other gateways on the machine have the default ones.
  const any = { ip: '127.0.0.1', port: 0 }
  const settings = {
    apisix: { node_listen: [any], ssl: { enable: false }, status: any, control: any },
    plugin_attr: { prometheus: { export_addr: any } },
    deployment: { admin: { admin_listen: any } },
    gatewright,
  }
  writeFileSync(join(cwd, 'config.yaml'), JSON.stringify(settings))
}

function ownPlugin(cwd: string, name: string, text: string): void {
  const folder = join(cwd, 'my-plugins', name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'index.ts'), text)
}

describe('gatewright plugin', { concurrency: 2 }, () => {
  it('makes a plugin that passes its own test as it stands', async (t) => {
    const cwd = emptyFolder(t)
    const made = await gatewright(cwd, 'plugin', 'new', 'greets')
    assert.deepEqual([made.code, made.said.includes(join('my-plugins', 'greets'))], [0, true], made.said)
    const tested = await gatewright(cwd, 'plugin', 'test', 'greets')
    assert.equal(tested.code, 0, tested.said)
    assert.match(tested.said, /pass 4/)
    writeFileSync(join(cwd, 'my-plugins', 'greets', 'index.ts'), 'export default {}')
    assert.equal((await gatewright(cwd, 'plugin', 'test')).code, 1)
  })

  it('refuses names that are taken, no names, or no names at all', async (t) => {
    const cwd = emptyFolder(t)
    ownPlugin(cwd, 'there', '')
    for (const [args, message] of [
      [['new', 'there'], /exists already/],
      [['new', '../out'], /no plugin can be called "\.\.\/out"/],
      [['new'], /needs a name/],
      [['test', 'absent'], /no plugin "absent" of yours; there is: there/],
      [['test'], /there is no test/],
      [['remove'], /say what to do/],
      [['list', '--jsn'], /unknown flag "--jsn"; did you mean "--json"/],
      [['list', '--json=1'], /flag "--json" takes no value/],
    ] as const) {
      const { code, said } = await gatewright(cwd, 'plugin', ...args)
      assert.equal(code, 1)
      assert.match(said, message)
    }
  })

  it('lists all there are in the order in which they run', async (t) => {
    const cwd = emptyFolder(t)
    await gatewright(cwd, 'plugin', 'new', 'greets')
    ownPlugin(
      cwd,
      'silent',
      "export default { name: 'silent', priority: 51, schema: {}, compile: () => ({}) }",
    )
    writeFileSync(join(cwd, 'config.yaml'), 'plugins: [cors, key-auth, greets]')
    const { code, said } = await gatewright(cwd, 'plugin', 'list')
    assert.equal(code, 0, said)
    const rows = said
      .trim()
      .split('\n')
      .map((line) => line.split(/ {2,}/))
    assert.deepEqual(rows[0], ['plugin', 'priority', 'phases', 'enabled', 'folder'])
    const names = rows.slice(1).map(([name]) => name)
    assert.deepEqual(
      names.filter((name) => ['real-ip', 'cors', 'key-auth', 'silent', 'greets'].includes(name!)),
      ['real-ip', 'cors', 'key-auth', 'silent', 'greets'],
    )
    assert.equal(names.length, new Set(names).size)
    const row = (name: string) => rows[names.indexOf(name) + 1]
    assert.deepEqual(row('cors'), ['cors', '4000', 'rewrite headerFilter', 'yes', 'built in'])
    assert.deepEqual(row('greets'), [
      'greets',
      '50',
      'access headerFilter',
      'yes',
      join('my-plugins', 'greets'),
    ])
    assert.deepEqual(row('silent'), ['silent', '51', '?', 'no', join('my-plugins', 'silent')])
    const { said: json } = await gatewright(cwd, 'plugin', 'list', '--json')
    const listed = JSON.parse(json) as Record<string, unknown>[]
    assert.deepEqual(
      listed.map(({ name }) => name),
      names,
    )
    assert.deepEqual(
      listed.find(({ name }) => name === 'silent'),
      {
        name: 'silent',
        priority: 51,
        enabled: false,
        own: true,
        folder: join(realpathSync(cwd), 'my-plugins', 'silent'),
      },
    )
  })

  it('of one that cannot be used says file and reason at the start', async (t) => {
    for (const [text, message] of [
      ["throw new Error('at the top')", /my-plugins\/own\/index\.ts cannot be loaded: Error: at the top/],
      ['export default 1 as number', /exports no plugin; it needs "export default definePlugin/],
      [
        "import { definePlugin } from 'gatewright/plugin'\nexport default definePlugin({ name: 'other', priority: 1, schema: {}, compile: () => ({}) })",
        /the plugin is called "other"; call it "own", as its folder/,
      ],
    ] as const) {
      const cwd = emptyFolder(t)
      ownPlugin(cwd, 'own', text)
      configure(cwd)
      const { code, said } = await gatewright(cwd, 'dev', '-c', 'config.yaml')
      assert.equal(code, 1)
      assert.match(said, message)
    }
    const cwd = emptyFolder(t)
    ownPlugin(cwd, 'cors', '')
    configure(cwd)
    assert.match((await gatewright(cwd, 'dev', '-c', 'config.yaml')).said, /there is a plugin "cors" already/)
    configure(cwd, { plugin_paths: ['nowhere'] })
    assert.match(
      (await gatewright(cwd, 'start')).said,
      /gatewright\.plugin_paths: there is no folder .*nowhere/,
    )
  })
})
