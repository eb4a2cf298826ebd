import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { freePort } from '../support/etcd.ts'

export type OtherName = 'nginx' | 'haproxy'

const READY_MS = 5000

/** Starts another proxy from a configuration and returns its port; `undefined`, with a sentence, when it is not installed. */
export async function startOther(
  t: Pick<TestContext, 'after'>,
  name: OtherName,
  configure: (port: number, folder: string) => string,
): Promise<number | undefined> {
  if (spawnSync(name, ['-v']).error) {
    console.log(`${name} is not installed and is left out; apt-get install ${name}`)
    return undefined
  }
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), `fuzz-${name}-`))
  const file = join(folder, 'config')
  writeFileSync(file, configure(port, folder))
  const child = spawn(name, name === 'nginx' ? ['-c', file, '-p', folder] : ['-f', file], { stdio: 'ignore' })
  t.after(() => child.kill('SIGKILL'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  await listening(port)
  return port
}

async function listening(port: number): Promise<void> {
  const deadline = Date.now() + READY_MS
  while (!(await canConnect(port))) {
    if (Date.now() > deadline) throw new Error(`nothing listens on port ${port} after ${READY_MS} ms`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
