import type { TestContext } from 'node:test'
import {
  ADMIN_KEY,
  type Resources,
  type StartOptions,
  startGateway,
  type TestGateway,
} from '../../src/testing/start-gateway.ts'

export const REGISTRY_KEY = 'registry-key-0123456789'

/** An answer of the registry. */
export interface RegistryReply {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look at whatever a body holds
  readonly body: any
}

export interface RegistryGateway extends TestGateway {
  /** Calls `/apisix/registry/<path>` with the registry's key. */
  registry(method: string, path: string, body?: unknown, key?: string): Promise<RegistryReply>
  /** `http://127.0.0.1:PORT` of the admin listener. */
  readonly adminUrl: string
}

/** A gateway with its registry switched on. */
export async function startRegistryGateway(
  t: Pick<TestContext, 'after'>,
  options: StartOptions = {},
  resources: Resources = {},
): Promise<RegistryGateway> {
  const gateway = await startGateway(t, resources, {
    ...options,
    settings: {
      'gatewright.registry.enable': true,
      'gatewright.registry.key': REGISTRY_KEY,
      ...options.settings,
    },
  })
  const adminUrl = `http://127.0.0.1:${gateway.addresses.admin!.port}`
  return {
    ...gateway,
    adminUrl,
    registry: async (method, path, body, key = REGISTRY_KEY) => {
      const response = await fetch(`${adminUrl}/apisix/registry/${path}`, {
        method,
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
    },
  }
}

export { ADMIN_KEY }
