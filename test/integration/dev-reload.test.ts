import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it, type TestContext } from 'node:test'
import { PROGRAM } from '../support/program.ts'
import { eventually } from '../support/watch-recording.ts'

const LIMIT_MS = 60_000
/** How often a plugin is saved; RELOADS=1000 for the long run. */
const RELOADS = Number(process.env['RELOADS'] ?? 12)

const FREE_PORTS = JSON.stringify({
  apisix: { ssl: { enable: false }, status: { port: 0 }, control: { port: 0 } },
  plugin_attr: { prometheus: { export_addr: { port: 0 } } },
  gatewright: { log: { access_log: 'off' } },
})

/** A plugin that answers with a text; `required` is a field that its configuration must have. */
function answering(text: string, required = 'a'): string {
  return `
export default {
  name: 'say', priority: 1,
  schema: { type: 'object', properties: { ${required}: { type: 'string' } }, required: ['${required}'] },
  compile: () => ({ access: (): object => ({ status: 200, body: '${text}' }) }),
}
`
}

interface Status {
  readonly state: string
  readonly took_ms?: number
  readonly problems: readonly { readonly stage: string; readonly file?: string; readonly line?: number }[]
  readonly not_served: readonly { readonly resource: string; readonly reason: string }[]
}

async function dev(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'gatewright-dev-'))
  const write = (path: string, text: string) => {
    mkdirSync(join(directory, 'my-plugins', path, '..'), { recursive: true })
    writeFileSync(join(directory, 'my-plugins', path), text)
  }
  writeFileSync(join(directory, 'free-ports.yaml'), FREE_PORTS)
  write('say/index.ts', answering('first'))
  const args = ['dev', '-c', 'free-ports.yaml', '--port', '0', '--admin-port', '0']
  const child = spawn(process.execPath, [...PROGRAM, ...args], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, NODE_TEST_CONTEXT: undefined },
  })
  let said = ''
  child.stderr.on('data', (chunk) => (said += chunk))
  t.after(async () => {
    await end(child)
    rmSync(directory, { recursive: true, force: true })
  })
  await eventually('it serves', () => /admin key: /.test(said), LIMIT_MS)
  const url = (name: string) =>
    new RegExp(`^  ${name} +(http://127\\.0\\.0\\.1:\\d+)`, 'm').exec(said)?.[1] ?? assert.fail(said)
  const key = /admin key: (\w+)/.exec(said)![1]!
  const put = (path: string, document: object) =>
    fetch(`${url('admin')}/apisix/admin/${path}`, {
      method: 'PUT',
      headers: { 'x-api-key': key, 'content-type': 'application/json' },
      body: JSON.stringify(document),
    })
  const status = async () => (await (await fetch(`${url('control')}/v1/plugins/reload`)).json()) as Status
  return {
    ...{ child, directory, write, put, status, said: () => said },
    ask: async (path = '/say') => {
      const answer = await fetch(`${url('proxy')}${path}`, { headers: { connection: 'close' } })
      return answer.status === 200 ? answer.text() : String(answer.status)
    },
    /** Waits until what was saved has come to this. */
    ends: async (state: string) => {
      await eventually(`it is ${state}`, async () => (await status()).state === state, LIMIT_MS)
      return status()
    },
    remove: (name: string) => rmSync(join(directory, 'my-plugins', name), { recursive: true }),
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

it('a plugin that is saved in dev', async (t) => {
  const node = await dev(t)
  assert.equal(
    (await node.put('routes/1?wait=applied', { uri: '/say', plugins: { say: { a: 'x' } } })).status,
    201,
  )
  assert.equal(await node.ask(), 'first')

  await t.test('is live', async (t) => {
    const savedMs = performance.now()
    node.write('say/index.ts', answering('second'))
    await eventually('it answers', async () => (await node.ask()) === 'second', LIMIT_MS)
    t.diagnostic(`live after ${Math.round(performance.now() - savedMs)} ms`)
    assert.deepEqual((await node.ends('live')).problems, [])
  })

  await t.test('is not when it cannot be read, with file and line in terminal and control API', async () => {
    node.write('say/index.ts', `${answering('third')}\nconst broken = ;\n`)
    const { problems } = await node.ends('failed')
    const file = join(node.directory, 'my-plugins/say/index.ts')
    assert.deepEqual([problems[0]?.file, problems[0]?.line], [file, 8])
    assert.match(node.said(), /my-plugins\/say\/index\.ts:8: /)
    assert.equal(await node.ask(), 'second')
  })

  await t.test('is not when it throws at what is configured', async () => {
    node.write(
      'say/index.ts',
      answering('third').replace(
        'compile: () =>',
        `compile: () => { throw new Error('no') },\n  other: () =>`,
      ),
    )
    await eventually(
      'it is told',
      async () => /Error: no/.test(JSON.stringify(await node.status())),
      LIMIT_MS,
    )
    const { state, problems } = await node.status()
    assert.deepEqual([state, problems[0]?.stage, problems[0]?.line], ['failed', 'load', 5])
    assert.equal(await node.ask(), 'second')
  })

  await t.test('changes what the admin API takes, and says what it does not serve any more', async () => {
    node.write('say/index.ts', answering('fourth', 'b'))
    await node.ends('live')
    await eventually('the old route ends', async () => (await node.ask()) === '404', LIMIT_MS)
    const old = await node.put('routes/1', { uri: '/say', plugins: { say: { a: 'x' } } })
    assert.equal(old.status, 400)
    assert.match(await old.text(), /property \\"b\\" is required/)
    await node.put('routes/1?wait=applied', { uri: '/say', plugins: { say: { b: 'x' } } })
    await eventually('it answers', async () => (await node.ask()) === 'fourth', LIMIT_MS)
  })

  await t.test('names a resource that its rules refuse', async () => {
    const picky = answering('fifth', 'b').replace(
      'compile:',
      `check: () => { throw new Error('I do not like it') },\n  compile:`,
    )
    node.write('say/index.ts', picky)
    await eventually('it is told', async () => (await node.status()).not_served.length === 1, LIMIT_MS)
    const { not_served } = await node.status()
    assert.equal(not_served[0]?.resource, 'routes/1')
    assert.match(not_served[0]!.reason, /I do not like it/)
    await node.ends('live')
    const refused = await node.put('routes/4', { uri: '/say', plugins: { say: { b: 'x' } } })
    assert.equal(refused.status, 400)
    assert.equal(
      await refused.text(),
      '{"error_msg":"failed to check the configuration of plugin say err: I do not like it"}\n',
    )
  })

  await t.test('may be a new one, and may vanish', async () => {
    node.write('more/index.ts', answering('more').replaceAll("'say'", "'more'"))
    await eventually(
      'it is known',
      async () =>
        (await node.put('routes/2?wait=applied', { uri: '/more', plugins: { more: { a: '' } } })).ok,
      LIMIT_MS,
    )
    await eventually('it answers', async () => (await node.ask('/more')) === 'more', LIMIT_MS)
    node.remove('more')
    await eventually('it is gone', async () => (await node.ask('/more')) === '404', LIMIT_MS)
    const refused = await node.put('routes/3', { uri: '/x', plugins: { more: { a: '' } } })
    assert.match(await refused.text(), /unknown plugin \[more\]/)
  })

  node.child.kill('SIGTERM')
  assert.deepEqual(await once(node.child, 'exit'), [0, null])
})

it(`the primary process does not grow with ${RELOADS} reloads`, { timeout: 3_600_000 }, async (t) => {
  const node = await dev(t)
  await node.put('routes/1?wait=applied', { uri: '/say', plugins: { say: { a0: 'x' } } })
  const rssMb: number[] = []
  for (let i = 1; i <= RELOADS; i++) {
    // Each has a schema of its own, which the primary process keeps.
    node.write('say/index.ts', answering(`v${i}`, `a${i}`))
    await eventually(
      `version ${i} is live`,
      async () =>
        (await node.put('routes/1?wait=applied', { uri: '/say', plugins: { say: { [`a${i}`]: 'x' } } })).ok,
      LIMIT_MS,
    )
    // The admin API knows its schema a moment before.
    await eventually('it answers', async () => (await node.ask()) === `v${i}`, LIMIT_MS)
    rssMb.push(residentMb(node.child.pid!))
  }
  const third = Math.floor(RELOADS / 3)
  const [early, late] = [mean(rssMb.slice(third, 2 * third)), mean(rssMb.slice(2 * third))]
  t.diagnostic(`resident memory in MB: ${Math.round(early)}, later ${Math.round(late)}`)
  assert.ok(late - early < 0.06 * RELOADS + 15, `${early} MB, then ${late} MB`)
})

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0) / numbers.length
}

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}
