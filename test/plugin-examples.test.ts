import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { catalogue } from '../plugins/catalogue.ts'
import { loadPlugins } from '../src/gateway/load-plugins.ts'
import { loadSettings } from '../src/settings/load.ts'
import { ADMIN_KEY, startAdmin } from './conformance/admin/start-admin.ts'

const PLUGINS = new URL('../plugins/', import.meta.url)
const ADMIN = 'http://127.0.0.1:9180/apisix/admin'
/** Two pages sign with it. */
const HAS_OPENSSL = spawnSync('openssl', ['version']).status === 0
let plugins: Awaited<ReturnType<typeof loadPlugins>>

before(async () => {
  const { settings } = loadSettings({ env: {}, workingDirectory: '/nonexistent', flags: {} })
  plugins = await loadPlugins(catalogue, settings)
})

describe('the examples of a plugin', () => {
  for (const name of Object.keys(catalogue)) {
    it(`of ${name} can be copied: the shell runs them, and the admin API takes what they send`, async (t) => {
      const example = exampleOf(name)
      // A shell without it cannot make the signatures; what is signed has tests of its own.
      if (!HAS_OPENSSL && example.includes('openssl')) return t.skip('there is no openssl here')
      const admin = await startAdmin({ plugins })
      const calls = callsOf(example).filter(({ url }) => url.startsWith(ADMIN))
      for (const { method, url, headers, body } of calls) {
        assert.ok(headers.includes(`X-API-KEY: ${ADMIN_KEY}`), `${method} ${url} has no key`)
        const { status, text } = await admin.send(method, url.slice(ADMIN.length), { body })
        assert.ok(status === 200 || status === 201, `${method} ${url}: ${text}`)
      }
      const isNamed = calls.some(({ url, body }) => url.endsWith(`/${name}`) || body.includes(`"${name}"`))
      assert.ok(isNamed, `no command of the example has ${name} in it`)
    })

    it(`of ${name} that show a configuration alone show one that the admin API takes`, async () => {
      const admin = await startAdmin({ plugins })
      for (const config of configurationsIn(exampleOf(name))) {
        const body = { uri: '/*', plugins: { [name]: JSON.parse(config) } }
        const { status, text } = await admin.send('PUT', '/routes/1', { body })
        assert.equal(status, 201, `${config}${text}`)
      }
    })
  }
})

function exampleOf(name: string): string {
  const readme = readFileSync(new URL(`${name}/README.md`, PLUGINS), 'utf8')
  return readme.split('## Example\n')[1]?.split('\n## ')[0] ?? assert.fail(`${name} has no example`)
}

/** What a `json` block holds, unless it is the answer to the commands right before it. */
function configurationsIn(example: string): readonly string[] {
  const blocks = example.matchAll(/(^```\n\n)?^```json\n([\s\S]*?)^```$/gm)
  return [...blocks].filter(([, isAnswer]) => !isAnswer).map(([, , json]) => json!)
}

interface Call {
  readonly method: string
  readonly url: string
  readonly headers: readonly string[]
  readonly body: string
}

/** Notes its arguments, each with a NUL behind it, and answers nothing. */
const CURL = `curl() { printf '%s\\0' "$@" 'end of call' >> "$CALLS"; }\n`

/** What the example calls with curl, once a real shell has read it: quotes, variables and loops are its business. */
function callsOf(example: string): readonly Call[] {
  const commands = [...example.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block).join('\n')
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-examples-'))
  const noted = join(folder, 'calls')
  try {
    const { status, stderr } = spawnSync('sh', ['-euc', CURL + commands], {
      cwd: folder,
      timeout: 60_000,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], CALLS: noted, ADMIN_KEY },
    })
    assert.equal(status, 0, stderr)
    const calls = readFileSync(noted, 'utf8').split('end of call\0').slice(0, -1)
    return calls.map((call) => callOf(call.split('\0').slice(0, -1)))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function callOf(args: readonly string[]): Call {
  const after = (...options: string[]) => args.filter((_, i) => options.includes(args[i - 1] ?? ''))
  const [body] = after('-d', '--data', '--data-binary')
  return {
    method: after('-X')[0] ?? (body === undefined ? 'GET' : 'POST'),
    url: args.find((arg) => /^https?:/.test(arg)) ?? assert.fail(`curl ${args.join(' ')}: no URL`),
    headers: after('-H'),
    body: body ?? '',
  }
}
