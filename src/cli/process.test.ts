import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { PROGRAM } from '../../test/support/program.ts'
import { withFreePorts } from '../../test/support/spawn-node.ts'

const START_LIMIT_MS = 60_000

/** Every listener on a port of the system's choice, on loopback only. */
const FREE_PORTS = [
  'apisix: {node_listen: [{ip: 127.0.0.1, port: 0}], ssl: {listen: [{ip: 127.0.0.1, port: 0}]}, status: {port: 0}, control: {port: 0}}',
  'deployment: {admin: {admin_listen: {port: 0}}}',
  'plugin_attr: {prometheus: {export_addr: {port: 0}}}',
].join('\n')

interface Running {
  readonly child: ChildProcess
  /** The URL announced under a name: proxy, admin, status, control, metrics. */
  url(name: string): string
  readonly said: string
}

function run(t: TestContext, args: readonly string[], settings = ''): Promise<Running> {
  return withFreePorts(() => runOnce(t, args, settings))
}

async function runOnce(t: TestContext, args: readonly string[], settings: string): Promise<Running> {
  const cwd = mkdtempSync(join(tmpdir(), 'gatewright-process-'))
  writeFileSync(join(cwd, 'config.yaml'), `${FREE_PORTS}\n${settings}\n`)
  const child = spawn(process.execPath, [...PROGRAM, ...args], {
    cwd,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(cwd, { recursive: true, force: true })
  })
  const said = await announcement(child)
  const url = (name: string): string =>
    new RegExp(`^ {2}${name} +(http://[^/\\s]+)`, 'm').exec(said)?.[1] ?? assert.fail(said)
  return { child, url, said }
}

/** What was said up to the line about the metrics, the last of the addresses. */
function announcement(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    const timer = setTimeout(
      () => reject(new Error(`not up after ${START_LIMIT_MS} ms: ${said}`)),
      START_LIMIT_MS,
    )
    const end = (settle: () => void): void => {
      clearTimeout(timer)
      settle()
    }
    child.stderr?.on('data', (chunk) => {
      said += chunk
      if (/^ {2}metrics .*\n/m.test(said)) end(() => resolve(said))
    })
    child.once('exit', (code) => end(() => reject(new Error(`ended with ${code}: ${said}`))))
  })
}

describe('a gateway process', { concurrency: 2 }, () => {
  it('listens where it says, is ready, and ends with 0 after SIGTERM', async (t) => {
    const { child, url, said } = await run(t, ['start'])
    assert.match(said, /^admin key: [0-9a-f]{48} \(shown this once/m)
    assert.equal((await fetch(`${url('status')}/status/ready`)).status, 200)
    assert.equal((await fetch(`${url('control')}/v1/sync`)).status, 200)
    assert.equal((await fetch(`${url('metrics')}/apisix/prometheus/metrics`)).status, 200)
    assert.equal((await fetch(`${url('admin')}/apisix/admin/routes`)).status, 401)
    assert.equal((await fetch(`${url('proxy')}/`)).status, 404)
    child.kill('SIGTERM')
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })

  it('serves with several workers, all else as it is by default', async (t) => {
    const { child, url } = await run(t, ['start'], 'gatewright: {workers: 2}')
    assert.equal((await fetch(`${url('status')}/status/ready`)).status, 200)
    assert.equal((await fetch(`${url('proxy')}/`)).status, 404)
    child.kill('SIGTERM')
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })

  it('in dev proxies every path to the given server', async (t) => {
    const server = createServer((request, response) => response.end(`saw ${request.url}`))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { child, url } = await run(t, ['dev', '-c', 'config.yaml', '--to', target])
    const deadline = Date.now() + 5000
    let response = await fetch(`${url('proxy')}/a/b?c=1`)
    while (response.status === 404 && Date.now() < deadline) response = await fetch(`${url('proxy')}/a/b?c=1`)
    assert.deepEqual([response.status, await response.text()], [200, 'saw /a/b?c=1'])
    child.kill('SIGINT')
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })
})
