import { readFileSync } from 'node:fs'
import type { ServerOptions } from 'node:https'
import type { AdminSettings } from '../settings/settings.ts'

/** TLS of the admin API as `deployment.admin` asks for it; `null` for none. Throws when a file cannot be read or holds no such thing. */
export function adminTls({ https_admin, admin_api_mtls }: AdminSettings): ServerOptions | null {
  if (!https_admin) return null
  const { admin_ssl_cert = '', admin_ssl_cert_key = '', admin_ssl_ca_cert } = admin_api_mtls
  return {
    cert: read('admin_ssl_cert', admin_ssl_cert),
    key: read('admin_ssl_cert_key', admin_ssl_cert_key),
    minVersion: 'TLSv1.2',
    ...(admin_ssl_ca_cert && {
      ca: read('admin_ssl_ca_cert', admin_ssl_ca_cert),
      requestCert: true,
      rejectUnauthorized: true,
    }),
  }
}

function read(name: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new Error(`deployment.admin.admin_api_mtls.${name}: cannot be read: ${(error as Error).message}`)
  }
}
