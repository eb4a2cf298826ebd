import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BenchServer, ServerPlace } from './bench-server.ts'
import { freePort, startPinned } from './pinned-process.ts'

/** HAProxy: one thread, connections to the origin shared, the same headers added as a gateway adds, no log. */
export async function startHaproxy({ core, originPort, folder }: ServerPlace): Promise<BenchServer> {
  const port = await freePort()
  const file = join(folder, 'haproxy.cfg')
  await writeFile(file, haproxyConfig(port, originPort))
  const readyUrl = `http://127.0.0.1:${port}/`
  return {
    port,
    process: await startPinned({ command: 'haproxy', args: ['-db', '-f', file], core, readyUrl }),
  }
}

function haproxyConfig(port: number, originPort: number): string {
  return `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend clients
  bind 127.0.0.1:${port}
  http-request set-header X-Real-IP %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Forwarded-Port %[dst_port]
  default_backend nodes
backend nodes
  server origin 127.0.0.1:${originPort}
`
}
