import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const CONFIGS_VALIDATE: ExampleGroup = {
  name: 'configs/validate',
  about:
    'A whole configuration, as JSON or YAML, checked with its plugins and references. Nothing is stored.',
  examples: [
    {
      title: 'A configuration that is valid',
      method: 'POST',
      path: '/configs/validate',
      body: {
        routes: [
          {
            id: '1',
            uri: '/shop/*',
            upstream_id: '1',
          },
        ],
        upstreams: [
          {
            id: '1',
            nodes: {
              '127.0.0.1:8080': 1,
            },
          },
        ],
      },
      status: 200,
      answer: {},
    },
    {
      title: 'In YAML',
      method: 'POST',
      path: '/configs/validate',
      headers: {
        'content-type': 'application/yaml',
      },
      body: 'routes:\n  - id: 1\n    uri: /shop/*\n    upstream:\n      nodes: { "127.0.0.1:8080": 1 }\n',
      status: 200,
      answer: {},
    },
    {
      title: 'One that is not',
      method: 'POST',
      path: '/configs/validate',
      body: {
        routes: [
          {
            id: '1',
            uri: 5,
          },
          {
            id: '2',
            uri: '/a',
            upstream_id: 'none',
          },
        ],
      },
      status: 400,
      answer: {
        error_msg: 'Configuration validation failed',
        errors: [
          {
            resource_type: 'routes',
            resource_id: '1',
            index: 0,
            error:
              'invalid routes at index 0, err: invalid configuration: property "uri" validation failed: wrong type: expected string, got number',
          },
        ],
      },
    },
  ],
}
