import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const CONFIGS: ExampleGroup = {
  name: 'configs',
  about:
    'Where the gateway has no store and takes its configuration as a whole (standalone, driven through the API), these are the only paths that answer; all others are 404. Elsewhere they are not there.',
  examples: [
    {
      title: 'Put a configuration in place',
      method: 'PUT',
      path: '/configs',
      headers: {
        'x-digest': 'first',
      },
      body: {
        routes: [
          {
            id: '1',
            uri: '/shop/*',
            upstream: {
              nodes: {
                '127.0.0.1:8080': 1,
              },
            },
          },
        ],
      },
      status: 202,
      has: {
        'x-digest': 'first',
        'x-last-modified': '1700000000',
      },
    },
    {
      title: 'The same once more',
      method: 'PUT',
      path: '/configs',
      headers: {
        'x-digest': 'first',
      },
      body: {
        routes: [],
      },
      status: 204,
    },
    {
      title: 'Without its digest',
      method: 'PUT',
      path: '/configs',
      body: {
        routes: [],
      },
      status: 400,
      answer: {
        error_msg: 'missing digest header',
      },
    },
    {
      title: 'Which one is in place',
      method: 'HEAD',
      path: '/configs',
      status: 200,
      has: {
        'x-digest': 'first',
        'x-last-modified': '1700000000',
      },
    },
    {
      title: 'Show it',
      method: 'GET',
      path: '/configs',
      status: 200,
      answer: {
        plugin_metadata_conf_version: 1,
        secrets_conf_version: 1,
        ssls_conf_version: 1,
        protos_conf_version: 1,
        upstreams_conf_version: 1,
        services_conf_version: 1,
        plugin_configs_conf_version: 1,
        consumer_groups_conf_version: 1,
        consumers_conf_version: 1,
        global_rules_conf_version: 1,
        routes: [
          {
            id: '1',
            uri: '/shop/*',
            upstream: {
              nodes: {
                '127.0.0.1:8080': 1,
              },
            },
          },
        ],
        routes_conf_version: 1,
        stream_routes_conf_version: 1,
        plugins_conf_version: 1,
        'X-Digest': 'first',
        'X-Last-Modified': 1700000000,
      },
      has: {
        'x-digest': 'first',
      },
    },
  ],
}
