import type { ExampleGroup } from '../example.ts'

/** Sent to an empty store; docs/reference/admin-api.md and the OpenAPI document show it. */
export const CLUSTER: ExampleGroup = {
  name: 'cluster',
  about:
    'The gateways that share the store: which revision each serves, and what it cannot use. `?wait=cluster` on a write waits for all of them.',
  examples: [
    {
      title: 'Who is there, and how far',
      method: 'GET',
      path: '/cluster',
      status: 200,
      answer: {
        total: 1,
        newest_revision: 121,
        list: [
          {
            id: '3c1e5f0a-5b1c-4d0e-9a55-0f6c2a7e1b11',
            hostname: 'gateway-1',
            version: '0.1.0',
            role: 'traditional',
            workers: 2,
            started_at: '2023-11-14T22:13:20.000Z',
            reported_s_ago: 0,
            applied_revision: 121,
            observed_revision: 121,
            revisions_behind: 0,
            quarantined: [{ kind: 'routes', id: '7', reason: 'unknown plugin [mine]', revision: 118 }],
            quarantined_total: 1,
          },
        ],
      },
    },
  ],
}
