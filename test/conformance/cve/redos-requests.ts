import { fakeUpstream } from '../../../src/testing/fake-upstream.ts'
import { startGateway } from '../../../src/testing/start-gateway.ts'
import { makeCertificate } from '../../support/certificates.ts'
import { askOverTls } from '../../support/tls-client.ts'

/**
 * Run as a process of its own, because a fault here stops the event loop: sends a gateway what makes backtracking engines search for
 * years, and prints as JSON what came of each, with the processor's time in milliseconds.
 */
export interface Outcome {
  readonly name: string
  readonly result: unknown
  readonly cpuMs: number
}

const LENGTH = 50_000
const PATTERN = '^/?[a-z]*/?(a+)+$'
const evil = `${'a'.repeat(LENGTH)}!`
const good = 'a'.repeat(LENGTH)

const ends: (() => unknown)[] = []
const t = { after: (end: () => unknown) => void ends.unshift(end) } as Parameters<typeof startGateway>[0]
const node = await fakeUpstream(t, (request, response) => {
  response.end(request.url === '/body' ? evil : String(request.url?.length))
})
const upstream = { nodes: { [node.address]: 1 } }
const server = makeCertificate({ names: ['gateway'] })
const authority = makeCertificate({ names: ['authority'] })
// The node would not take as much as the gateway is told to.
const withoutX = { 'proxy-rewrite': { headers: { remove: ['x'] } } }
const toRoot = { 'proxy-rewrite': { uri: '/' } }
const guards = {
  cors: { allow_origins_by_regex: ['^(a+)+$'] },
  'uri-blocker': { block_rules: ['=(a+)+$'] },
  redirect: { regex_uri: ['^/guards/(a+)+$', '/away'] },
  'proxy-rewrite': { uri: '/', headers: { remove: ['origin'] } },
}
const filters = [{ regex: '(a+)+$', replace: 'b', scope: 'global' as const }]
const gateway = await startGateway(
  t,
  {
    ssls: {
      1: { sni: 'guarded.test', ...server, client: { ca: authority.cert, skip_mtls_uri_regex: [PATTERN] } },
    },
    routes: {
      vars: { uri: '/vars', vars: [['http_x', '~~', '^(a+)+$']], plugins: withoutX, upstream },
      rewrite: {
        uri: '/rewrite/*',
        plugins: { 'proxy-rewrite': { regex_uri: ['^/rewrite/(a+)+$', '/short', '.*', '/longer'] } },
        upstream,
      },
      allowed: { uri: '/allowed', plugins: { 'ua-restriction': { allowlist: ['^(a+)+$'] } }, upstream },
      denied: { uri: '/denied', plugins: { 'ua-restriction': { denylist: ['^(a+)+$'] } }, upstream },
      guards: { uri: '/guards*', plugins: guards, upstream },
      body: { uri: '/body', plugins: { 'response-rewrite': { filters } }, upstream },
      tls: { uri: '/a*', name: `${'a'.repeat(90)}!`, plugins: toRoot, upstream },
    },
  },
  {
    settings: {
      'gatewright.limits.max_header_bytes': 262_144,
      'gatewright.limits.max_uri_bytes': 131_072,
    },
  },
)

const requests: Readonly<Record<string, () => Promise<unknown>>> = {
  'vars, no match': () => ask('/vars', { x: evil }),
  'vars, match': () => ask('/vars', { x: good }),
  'regex_uri, no match': () => ask(`/rewrite/${evil}`),
  'regex_uri, match': () => ask(`/rewrite/${good}`),
  cors: () => ask('/guards', { origin: evil }),
  'ua-restriction': () => ask('/allowed', { 'user-agent': evil }),
  'ua-restriction, match': () => ask('/denied', { 'user-agent': good }),
  'uri-blocker': () => ask(`/guards?a=${evil}`),
  'uri-blocker, match': () => ask(`/guards?a=${good}`),
  redirect: () => ask(`/guards/${evil}`),
  'redirect, match': () => ask(`/guards/${good}`),
  'response filter': async () =>
    (await fetch(`${gateway.proxyUrl}/body`)).text().then((text) => text === evil),
  'skip_mtls_uri_regex, no match': () => overTls(`/${evil}`),
  'skip_mtls_uri_regex, match': () => overTls(`/${good}`),
  'admin filter': async () => (await gateway.admin('GET', '/routes?name=^(a%2B)%2B$')).body['total'],
}

async function ask(path: string, headers: Record<string, string> = {}): Promise<unknown> {
  const response = await fetch(`${gateway.proxyUrl}${path}`, { headers, redirect: 'manual' })
  return `${response.status} ${response.status === 200 ? await response.text() : ''}`
}

async function overTls(path: string): Promise<unknown> {
  return (await askOverTls(gateway.tlsPort, { servername: 'guarded.test', path })).status
}

const outcomes: Outcome[] = []
for (const [name, send] of Object.entries(requests)) {
  const before = process.cpuUsage()
  const result = await send()
  const { user, system } = process.cpuUsage(before)
  outcomes.push({ name, result, cpuMs: (user + system) / 1000 })
}
for (const end of ends) await end()
process.stdout.write(JSON.stringify(outcomes))
