import type { AppliedRevisions } from '../../admin/api/index.ts'
import { CERTIFICATE, type Example, PRIVATE_KEY } from '../../admin/api/openapi/example.ts'
import { catalogue } from '../../plugins/catalogue.ts'
import { createLogger } from '../../src/observe/logger.ts'
import { PluginRegistry } from '../../src/plugin/registry.ts'
import { ConfigsStore } from '../../src/store/configs-store.ts'
import { type Admin, type Shown, startAdmin } from '../conformance/admin/start-admin.ts'
import { makeCertificate } from './certificates.ts'

const PAIR = makeCertificate({ names: ['shop.test'] })

/** What is enabled for the examples, so that their answers stay when the catalogue grows. */
const ENABLED = ['key-auth', 'limit-count', 'prometheus', 'request-id']

/** The only node of the cluster. */
const NODE = {
  id: '3c1e5f0a-5b1c-4d0e-9a55-0f6c2a7e1b11',
  hostname: 'gateway-1',
  version: '0.1.0',
  role: 'traditional',
  workers: 2,
  started_at_ms: 1_700_000_000_000,
  reported_at_ms: 1_700_000_000_000,
  applied_revision: 121,
  observed_revision: 121,
  quarantined: [{ kind: 'routes', id: '7', reason: 'unknown plugin [mine]', revision: 118 }],
  quarantined_total: 1,
} as const

async function somePlugins(): Promise<PluginRegistry> {
  const registry = new PluginRegistry()
  for (const name of ENABLED) registry.register((await catalogue[name]!()).default)
  return registry
}

/** An admin API for the examples of one group: nothing is stored, and what is will be served at once. */
export async function startForExamples(group: string): Promise<Admin> {
  const logger = createLogger('silent')
  const store = group === 'configs' ? new ConfigsStore({ logger }) : undefined
  let served = 0
  const applied: AppliedRevisions = {
    waitFor: async (revision) => {
      served = revision
    },
    status: () => ({ observed: served, published: served }),
    quarantined: () => undefined,
  }
  const admin = await startAdmin({
    plugins: await somePlugins(),
    applied,
    cluster: { list: async () => [NODE] },
    hasStreams: true,
    ...(store && { store }),
  })
  // The API asks the store whether a dependent still refers to what is deleted, so more may be named than is there.
  for (const kind of ['routes', 'services', 'consumers'] as const) {
    admin.dependents.push({ kind, id: '1', via: 'reference' })
  }
  return admin
}

/** Sends an example with a real certificate in place of the dots, which stand in the answer again. */
export async function sendExample(admin: Admin, { method, path, headers, body }: Example): Promise<Shown> {
  const shown = await admin.send(method, path, { body: withCertificates(body), ...(headers && { headers }) })
  return { ...shown, body: replace(shown.body, DOTS) }
}

/** The value with real certificates in place of the dots. */
export function withCertificates(value: unknown): unknown {
  return replace(value, REAL)
}

const REAL = new Map([
  [CERTIFICATE, PAIR.cert],
  [PRIVATE_KEY, PAIR.key],
])
const DOTS = new Map([...REAL].map(([dots, real]) => [real, dots]))

function replace(value: unknown, texts: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') return texts.get(value) ?? value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((one) => replace(one, texts))
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, replace(one, texts)]))
}
