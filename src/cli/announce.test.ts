import assert from 'node:assert/strict'
import { it } from 'node:test'
import { loadSettings } from '../settings/load.ts'
import { addressLines } from './announce.ts'

it('the address of an admin API with TLS is announced as such', () => {
  const adminLine = (flags: Record<string, unknown>) => {
    const { settings } = loadSettings({ env: {}, flags })
    const admin = { ip: '127.0.0.1', port: 9180 }
    return addressLines({ proxy: [], admin }, settings).find((line) => line.includes('/apisix/admin'))
  }
  assert.match(adminLine({}) ?? '', /http:\/\/127\.0\.0\.1:9180/)
  const tls = { admin_ssl_cert: 'a', admin_ssl_cert_key: 'b' }
  assert.match(
    adminLine({ 'deployment.admin.https_admin': true, 'deployment.admin.admin_api_mtls': tls }) ?? '',
    /https:\/\/127\.0\.0\.1:9180/,
  )
})
