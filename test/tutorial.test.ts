import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fakeUpstream } from '../src/testing/fake-upstream.ts'
import { PROGRAM } from './support/program.ts'
import { eventually } from './support/watch-recording.ts'

const PAGE = new URL('../docs/plugins/write-your-own.md', import.meta.url)

const FREE_PORTS = [
  'apisix: {status: {port: 0}, control: {port: 0}}',
  'plugin_attr: {prometheus: {export_addr: {port: 0}}}',
].join('\n')

interface Step {
  readonly kind: string
  readonly path: string | undefined
  readonly text: string
}

/** The blocks of the page that are marked as steps, in their order. */
function stepsOf(page: string): Step[] {
  const steps = page.matchAll(/<!-- step: (\w+)(?: ([^>]+?))? -->\n```\w+\n([\s\S]*?)```/g)
  return [...steps].map(([, kind, path, text]) => ({ kind: kind!, path, text: text! }))
}

/** A folder where `gatewright` is a command. */
function workplace(t: TestContext) {
  const cwd = mkdtempSync(join(tmpdir(), 'gatewright-tutorial-'))
  t.after(() => rmSync(cwd, { recursive: true, force: true }))
  const command = join(cwd, 'gatewright')
  writeFileSync(
    command,
    `#!/bin/sh\nexec "${process.execPath}" ${PROGRAM.map((one) => `"${one}"`).join(' ')} "$@"\n`,
  )
  chmodSync(command, 0o755)
  writeFileSync(join(cwd, 'free-ports.yaml'), FREE_PORTS)
  const env = {
    ...process.env,
    PATH: `${cwd}${delimiter}${process.env['PATH']}`,
    NODE_TEST_CONTEXT: undefined,
  }
  return { cwd, env }
}

type Place = ReturnType<typeof workplace>

async function shell(text: string, { cwd, env }: Place, variables: Record<string, string>): Promise<string> {
  const child = spawn('sh', ['-e', '-c', text], { cwd, env: { ...env, ...variables } })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
  const [code] = await once(child, 'close')
  assert.equal(code, 0, `${text}\n${said}`)
  return said
}

/** Starts what the step says, on free ports, and waits until it is up. */
async function start(t: TestContext, text: string, { cwd, env }: Place) {
  const [command, ...args] = text.trim().split(/\s+/)
  const more = ['-c', 'free-ports.yaml', '--port', '0', '--admin-port', '0']
  const child = spawn(command!, [...args, ...more], { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] })
  t.after(() => end(child))
  let said = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      said += chunk
      if (/admin key: /.test(said)) resolve()
    })
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${said}`)))
  })
  const find = (pattern: RegExp) => pattern.exec(said)?.[1] ?? assert.fail(said)
  return {
    key: find(/admin key: (\w+)/),
    proxy: find(/proxy +http:\/\/([\d.:]+)/).replace('0.0.0.0', '127.0.0.1'),
    admin: find(/admin +http:\/\/([\d.:]+)/),
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

describe('the tutorial for plugins', () => {
  it('works when it is followed word by word', async (t) => {
    const place = workplace(t)
    const upstream = await fakeUpstream(t)
    const steps = stepsOf(readFileSync(PAGE, 'utf8'))
    assert.ok(steps.length >= 9, `${steps.length} steps were found`)
    let running: Awaited<ReturnType<typeof start>> | undefined
    let said = ''
    let answered = ''
    for (const { kind, path, text } of steps) {
      const here = text
        .replaceAll('127.0.0.1:3000', upstream.address)
        .replaceAll('127.0.0.1:9180', running?.admin ?? '')
        .replaceAll('127.0.0.1:9080', running?.proxy ?? '')
      if (kind === 'file') writeFileSync(join(place.cwd, path!), text)
      else if (kind === 'start') running = await start(t, here, place)
      else if (kind === 'until')
        await eventually(path!, async () => (await shell(here, place, {})).includes(path!), 30_000)
      else said = await shell(here, place, { KEY: running?.key ?? '' })
      if (kind === 'run' && here.includes('curl')) answered = said
    }
    assert.match(answered, /HTTP\/1\.1 503/)
    assert.match(answered, /Retry-After: 60/i)
    assert.match(answered, /\{"message":"closed for maintenance"\}/)
  })
})
