import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { ketama } from '../../src/upstream/balancer/chash.ts'
import { installMissing } from '../bench/servers/tools.ts'
import { freePort } from '../support/etcd.ts'

const KEYS = 10_000
const WEIGHTS = [1, 2, 3, 4]
const READY_MS = 5000

const keyAt = (index: number) => `user-${index}`

/** nginx with `hash … consistent` before servers that answer with their own port; resolves with the port in front. */
async function startNginx(
  t: TestContext,
  nodes: readonly { address: string; weight: number }[],
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'ketama-nginx-'))
  const port = await freePort()
  const file = join(folder, 'config')
  const servers = nodes.map(({ address, weight }) => `server ${address} weight=${weight};`).join(' ')
  const echoes = nodes
    .map(({ address }) => `server { listen ${address}; return 200 $server_port; }`)
    .join('\n')
  await writeFile(
    file,
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
    events { worker_connections 512; }
    http { access_log off; keepalive_requests 1000000; default_type text/plain;
      upstream ring { hash $arg_k consistent; ${servers} keepalive 16; }
      ${echoes}
      server { listen 127.0.0.1:${port}; location / { proxy_pass http://ring; proxy_http_version 1.1; proxy_set_header Connection ""; } } }`,
  )
  const nginx = spawn('nginx', ['-c', file, '-p', folder], { stdio: 'ignore' })
  t.after(async () => {
    nginx.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })
  const deadline = Date.now() + READY_MS
  while (!(await answers(port)))
    assert.ok(Date.now() < deadline, `nginx does not answer within ${READY_MS} ms`)
  return port
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const isOpen = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'error').then(() => false),
  ]).catch(() => false)
  socket.destroy()
  return isOpen
}

/** The port that nginx chose for each key, asked for on one connection. */
async function chosenByNginx(port: number): Promise<number[]> {
  const socket = connect(port, '127.0.0.1')
  const requests = Array.from({ length: KEYS }, (_, i) => {
    const last = i === KEYS - 1 ? 'Connection: close\r\n' : ''
    return `GET /?k=${keyAt(i)} HTTP/1.1\r\nHost: a\r\n${last}\r\n`
  })
  socket.write(requests.join(''))
  let text = ''
  for await (const chunk of socket) text += chunk
  return [...text.matchAll(/\r\n\r\n(\d+)/g)].map((match) => Number(match[1]))
}

describe('the ring over raw weights', () => {
  it(`gives each of ${KEYS} keys to the node that a running nginx gives it to`, async (t) => {
    const missing = installMissing(['nginx'])
    assert.deepEqual(missing, [], 'nginx is needed here; install it (Debian: nginx-light)')
    const nodes: { address: string; weight: number }[] = []
    for (const weight of WEIGHTS) nodes.push({ address: `127.0.0.1:${await freePort()}`, weight })
    const chosen = await chosenByNginx(await startNginx(t, nodes))
    assert.equal(chosen.length, KEYS)
    const balancer = ketama.create(nodes, () => 0)
    const differing = chosen.filter((port, i) => {
      const context = { hashKey: () => keyAt(i), isExcluded: () => false }
      return balancer.pick(context)?.address !== `127.0.0.1:${port}`
    })
    assert.equal(differing.length, 0)
    assert.equal(new Set(chosen).size, WEIGHTS.length)
  })
})
