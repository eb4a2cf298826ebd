import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { makeCertificate } from '../support/certificates.ts'
import { fakeUpstream } from '../support/fake-upstream.ts'
import { startGateway } from '../support/start-gateway.ts'
import { askOverTls } from '../support/tls-client.ts'

describe('the name a client asks for', () => {
  it('chooses the certificate: its own, one label below a wildcard, or that of *', async (t) => {
    const upstream = await fakeUpstream(t)
    const exact = makeCertificate({ names: ['api.example.com'] })
    const gateway = await startGateway(t, {
      ssls: { exact: { sni: 'api.example.com', ...exact } },
      routes: { 1: { uri: '/*', upstream: { nodes: { [upstream.address]: 1 } } } },
    })
    const { status, subject } = await askOverTls(gateway.tlsPort, { servername: 'api.example.com' })
    assert.equal(status, 200)
    assert.equal(subject, 'api.example.com')
  })
})
