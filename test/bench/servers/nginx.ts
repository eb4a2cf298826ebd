import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BenchServer, ServerPlace } from './bench-server.ts'
import { freePort, type PinnedProcess, startPinned } from './pinned-process.ts'

/** What the origin answers, to anything. */
export const ORIGIN_BODY = `${'gatewright '.repeat(9)}`

/** The origin of every row: nginx with a fixed answer and connections that are never closed. */
export async function startOrigin(place: Omit<ServerPlace, 'originPort'>): Promise<{
  readonly port: number
  readonly process: PinnedProcess
}> {
  const port = await freePort()
  const site = `server { listen 127.0.0.1:${port}; location / { return 200 "${ORIGIN_BODY}"; } }`
  return { port, process: await startNginx(site, { ...place, port }) }
}

/** nginx as reverse proxy: one worker, connections to the origin kept alive, the same headers added as a gateway adds. */
export async function startNginxProxy({ originPort, ...place }: ServerPlace): Promise<BenchServer> {
  const port = await freePort()
  const site = `
    upstream origin { server 127.0.0.1:${originPort}; keepalive 256; keepalive_requests 1000000000; }
    server {
      listen 127.0.0.1:${port};
      location / {
        proxy_pass http://origin;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $host;
        proxy_set_header X-Forwarded-Port $server_port;
      }
    }`
  return { port, process: await startNginx(site, { ...place, port }) }
}

/** An nginx of one process with one site; it has to answer `/` at `port` with 2xx. */
export async function startNginx(
  site: string,
  { core, folder, port }: { core: number; folder: string; port: number },
): Promise<PinnedProcess> {
  const file = join(folder, 'nginx.conf')
  await writeFile(file, nginxConfig(site))
  return startPinned({
    command: 'nginx',
    // -e: else it first opens the log file it was built with, which takes root.
    args: ['-p', folder, '-c', file, '-e', 'stderr'],
    core,
    readyUrl: `http://127.0.0.1:${port}/`,
  })
}

/** One process without a master, so that its CPU time is all of nginx's. */
function nginxConfig(site: string): string {
  return `
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  default_type text/plain;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  ${site}
}
`
}
