import { fileURLToPath } from 'node:url'
import type { BenchServer, ServerPlace } from './bench-server.ts'
import { freePort, startPinned } from './pinned-process.ts'

const SCRIPT = fileURLToPath(new URL('plain-http-proxy.js', import.meta.url))

/** @fastify/http-proxy with its defaults and one fixed upstream. */
export async function startPlainHttpProxy({ core, originPort }: ServerPlace): Promise<BenchServer> {
  const port = await freePort()
  const args = [SCRIPT, String(port), `http://127.0.0.1:${originPort}`]
  const readyUrl = `http://127.0.0.1:${port}/`
  return { port, process: await startPinned({ command: process.execPath, args, core, readyUrl }) }
}
