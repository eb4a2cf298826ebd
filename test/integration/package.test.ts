import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { REGISTRY_KEY, startRegistryGateway } from '../support/registry.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const run = promisify(execFile)
const scratch = mkdtempSync(join(tmpdir(), 'gatewright-package-'))
const INSTALLED = join(scratch, 'app/node_modules/gatewright')

interface Manifest {
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string } | string>>
}

const manifest = (): Manifest => JSON.parse(readFileSync(join(INSTALLED, 'package.json'), 'utf8'))

/** The folder to pack: this one when `npm test` has built it, else a copy with a build of its own. */
async function builtFolder(): Promise<string> {
  if (process.env['GATEWRIGHT_TEST_IS_BUILT'] === 'yes') return ROOT
  const folder = join(scratch, 'source')
  mkdirSync(folder)
  for (const name of ['package.json', 'README.md', 'config.yaml', 'bin'])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  const compiler = join(ROOT, 'node_modules/.bin/tsc')
  await run(compiler, ['-p', 'tsconfig.build.json', '--outDir', join(folder, 'dist')], { cwd: ROOT })
  return folder
}

/** Packs what `npm publish` would, and puts it where `npm install` would, alone: none of its dependencies is there. */
before(async () => {
  const folder = await builtFolder()
  const args = ['pack', '--silent', '--offline', '--ignore-scripts', '--pack-destination', scratch]
  const { stdout } = await run('npm', args, { cwd: folder })
  mkdirSync(INSTALLED, { recursive: true })
  const archive = join(scratch, stdout.trim().split('\n').at(-1)!)
  await run('tar', ['-xzf', archive, '-C', INSTALLED, '--strip-components=1'])
})
after(() => rmSync(scratch, { recursive: true, force: true }))

/** Runs a script of the application with plain Node.js; what it printed. */
async function runScript(name: string, code: string, env: Record<string, string> = {}): Promise<string> {
  const file = join(scratch, 'app', name)
  writeFileSync(file, code)
  const { NODE_OPTIONS: _options, ...own } = process.env
  const { stdout } = await run(process.execPath, [file], { env: { ...own, ...env }, timeout: 60_000 })
  return stdout.trim()
}

describe('the package as it is published', () => {
  it('registers a service with a gateway through gatewright/registry, which needs nothing else', async (t) => {
    const gateway = await startRegistryGateway(t)
    const said = await runScript(
      'service.mjs',
      `import { createRegistration, RegistrationError } from 'gatewright/registry'
      const options = {
        gateways: [process.env.GATEWAY],
        key: process.env.KEY,
        node: { node_id: 'worker-1', endpoint: 'http://10.0.0.7:8080' },
        agents: [{ type: 'chat', key: 'one', capabilities: ['gpt'] }],
      }
      const registration = createRegistration(options)
      await registration.start()
      const url = process.env.GATEWAY + '/apisix/registry/agents/chat/one'
      const shown = await (await fetch(url, { headers: { 'x-api-key': process.env.KEY } })).json()
      await registration.stop()
      const gone = (await fetch(url, { headers: { 'x-api-key': process.env.KEY } })).status
      const other = createRegistration({ ...options, key: 'wrong-key-0123456789' })
      const refused = await other.start().catch((error) => error instanceof RegistrationError && error.status)
      console.log(JSON.stringify([shown.status, shown.node_id, gone, refused]))`,
      { GATEWAY: gateway.adminUrl, KEY: REGISTRY_KEY },
    )
    assert.equal(said, JSON.stringify(['online', 'worker-1', 404, 401]))
  })

  it('has each export with its types', async () => {
    for (const [name, target] of Object.entries(manifest().exports)) {
      if (typeof target === 'string') continue
      for (const file of [target.types, target.default])
        assert.ok(existsSync(join(INSTALLED, file)), `${name}: ${file}`)
    }
    const file = join(scratch, 'app/service.ts')
    writeFileSync(
      file,
      `import { createRegistration, type Registration } from 'gatewright/registry'
      export const registration: Registration = createRegistration({ gateways: [], node: { endpoint: 'a:1' } })
      // @ts-expect-error: a node has an endpoint
      createRegistration({ gateways: [], node: {} })`,
    )
    const compiler = join(ROOT, 'node_modules/.bin/tsc')
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--types', '']
    await run(compiler, [...options, file], { cwd: dirname(file) })
  })

  it('gives plugins gatewright/plugin and runs as a command, with its dependencies beside it', async () => {
    const { dependencies, version } = manifest()
    for (const name of Object.keys(dependencies)) {
      const place = join(scratch, 'app/node_modules', name)
      mkdirSync(dirname(place), { recursive: true })
      symlinkSync(join(ROOT, 'node_modules', name), place)
    }
    const said = await runScript(
      'plugin.mjs',
      `import { definePlugin } from 'gatewright/plugin'
      const compile = () => ({})
      console.log(definePlugin({ name: 'mine', priority: 1, schema: { type: 'object' }, compile }).name)`,
    )
    assert.equal(said, 'mine')
    const command = join(INSTALLED, 'bin/gatewright.js')
    const { stdout } = await run(process.execPath, [command, 'version'], { timeout: 60_000 })
    assert.ok(stdout.includes(version), stdout)
  })

  it('runs a plugin in TypeScript beside a package.json that npm init has made', async () => {
    const app = join(scratch, 'app')
    for (const type of ['"type": "commonjs"', '"version": "1.0.0"']) {
      writeFileSync(join(app, 'package.json'), `{"name": "app", ${type}}`)
      const command = join(INSTALLED, 'bin/gatewright.js')
      const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
      const gatewright = (...args: string[]) =>
        run(process.execPath, [command, 'plugin', ...args], { cwd: app, env, timeout: 60_000 })
      await gatewright('new', 'mine')
      assert.match((await gatewright('test', 'mine')).stdout, /pass [1-9]/)
      rmSync(join(app, 'my-plugins'), { recursive: true })
    }
  })
})
