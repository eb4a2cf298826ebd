import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Certificate } from '../../support/certificates.ts'
import type { DoorsServer, ServerPlace } from './bench-server.ts'
import { startNginx } from './nginx.ts'
import { freePort, type PinnedProcess } from './pinned-process.ts'

/** Where the origin takes bodies. */
export const SINK_PATH = '/sink'

/**
 * The origin of bodies: `/<bytes>` for each of `sizes` is a file of so many bytes, and `/sink` answers with 2 bytes once it has read
 * all of a body, of 10 MB at most.
 */
export async function startBodyOrigin(
  place: Omit<ServerPlace, 'originPort'>,
  sizes: readonly number[],
): Promise<{ readonly port: number; readonly process: PinnedProcess }> {
  const port = await freePort()
  const files = join(place.folder, 'files')
  await mkdir(files)
  for (const size of sizes) await writeFile(join(files, String(size)), Buffer.alloc(size, 'x'))
  // nginx answers a POST that it only drops before it has read it; one that it passes on is read to its end first.
  const site = `
    server {
      listen 127.0.0.1:${port};
      sendfile on;
      tcp_nopush on;
      client_max_body_size 0;
      client_body_buffer_size 11m;
      root ${files};
      location = / { return 200 "ok"; }
      location = /read { return 200 "ok"; }
      location = ${SINK_PATH} {
        proxy_pass http://127.0.0.1:${port}/read;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
      }
    }`
  return { port, process: await startNginx(site, { ...place, port }) }
}

/**
 * nginx as reverse proxy that streams as the gateway does: nothing in temporary files, no body collected before it is sent. Else as in
 * the end-to-end bench.
 */
export async function startNginxDoors(
  { originPort, ...place }: ServerPlace,
  certificate: Certificate,
): Promise<DoorsServer> {
  const ports = { plain: await freePort(), http2: await freePort(), tls: await freePort() }
  await writeFile(join(place.folder, 'cert.pem'), certificate.cert)
  await writeFile(join(place.folder, 'key.pem'), certificate.key, { mode: 0o600 })
  const site = `
    upstream origin { server 127.0.0.1:${originPort}; keepalive 256; keepalive_requests 1000000000; }
    server {
      listen 127.0.0.1:${ports.plain};
      listen 127.0.0.1:${ports.http2} http2;
      listen 127.0.0.1:${ports.tls} ssl http2;
      ssl_certificate ${place.folder}/cert.pem;
      ssl_certificate_key ${place.folder}/key.pem;
      ssl_protocols TLSv1.2 TLSv1.3;
      ssl_session_cache off;
      ssl_session_tickets off;
      client_max_body_size 0;
      location / {
        proxy_pass http://origin;
        proxy_http_version 1.1;
        proxy_request_buffering off;
        proxy_max_temp_file_size 0;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $host;
        proxy_set_header X-Forwarded-Port $server_port;
      }
    }`
  return { ports, process: await startNginx(site, { ...place, port: ports.plain }) }
}
