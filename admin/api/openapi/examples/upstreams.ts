import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const UPSTREAMS: ExampleGroup = {
  name: 'upstreams',
  about:
    'An upstream is a set of nodes with a way to pick one (`type`), timeouts, retries and health checks. Routes and services name it by `upstream_id`.',
  examples: [
    {
      title: 'Create an upstream',
      method: 'PUT',
      path: '/upstreams/1',
      body: {
        type: 'chash',
        key: 'remote_addr',
        nodes: [
          {
            host: '127.0.0.1',
            port: 8080,
            weight: 1,
          },
          {
            host: '127.0.0.1',
            port: 8081,
            weight: 1,
          },
        ],
        checks: {
          active: {
            http_path: '/health',
          },
        },
      },
      status: 201,
      answer: {
        key: '/apisix/upstreams/1',
        value: {
          type: 'chash',
          key: 'remote_addr',
          nodes: [
            {
              host: '127.0.0.1',
              port: 8080,
              weight: 1,
            },
            {
              host: '127.0.0.1',
              port: 8081,
              weight: 1,
            },
          ],
          checks: {
            active: {
              http_path: '/health',
            },
          },
          id: '1',
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
      has: {
        etag: '"2"',
      },
    },
    {
      title: 'Create one under a new id',
      method: 'POST',
      path: '/upstreams',
      body: {
        nodes: {
          '127.0.0.1:8080': 1,
        },
      },
      status: 201,
      answer: {
        key: '/apisix/upstreams/00000000000000000003',
        value: {
          nodes: {
            '127.0.0.1:8080': 1,
          },
          id: '00000000000000000003',
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'Create one by the id of its body',
      method: 'PUT',
      path: '/upstreams',
      body: {
        id: '2',
        nodes: {
          '127.0.0.1:8080': 1,
        },
      },
      status: 201,
      answer: {
        key: '/apisix/upstreams/2',
        value: {
          id: '2',
          nodes: {
            '127.0.0.1:8080': 1,
          },
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'Show it',
      method: 'GET',
      path: '/upstreams/1',
      status: 200,
      answer: {
        key: '/apisix/upstreams/1',
        value: {
          type: 'chash',
          key: 'remote_addr',
          nodes: [
            {
              host: '127.0.0.1',
              port: 8080,
              weight: 1,
            },
            {
              host: '127.0.0.1',
              port: 8081,
              weight: 1,
            },
          ],
          checks: {
            active: {
              http_path: '/health',
            },
          },
          id: '1',
          create_time: 1700000000,
          update_time: 1700000000,
        },
        createdIndex: 2,
        modifiedIndex: 2,
      },
      has: {
        etag: '"2"',
      },
    },
    {
      title: 'Change some members',
      method: 'PATCH',
      path: '/upstreams/2',
      body: {
        retries: 2,
        nodes: {
          '127.0.0.1:8081': 1,
          '127.0.0.1:8080': null,
        },
      },
      status: 200,
      answer: {
        key: '/apisix/upstreams/2',
        value: {
          id: '2',
          nodes: {
            '127.0.0.1:8081': 1,
          },
          create_time: 1700000000,
          update_time: 1700000000,
          retries: 2,
        },
      },
    },
    {
      title: 'Set one member by its path',
      method: 'PATCH',
      path: '/upstreams/2/nodes',
      body: {
        '127.0.0.1:8082': 1,
      },
      status: 200,
      answer: {
        key: '/apisix/upstreams/2',
        value: {
          id: '2',
          nodes: {
            '127.0.0.1:8082': 1,
          },
          create_time: 1700000000,
          update_time: 1700000000,
          retries: 2,
        },
      },
    },
    {
      title: 'List a page',
      method: 'GET',
      path: '/upstreams?page=1&page_size=10',
      status: 200,
      answer: {
        total: 3,
        list: [
          {
            key: '/apisix/upstreams/1',
            value: {
              type: 'chash',
              key: 'remote_addr',
              nodes: [
                {
                  host: '127.0.0.1',
                  port: 8080,
                  weight: 1,
                },
                {
                  host: '127.0.0.1',
                  port: 8081,
                  weight: 1,
                },
              ],
              checks: {
                active: {
                  http_path: '/health',
                },
              },
              id: '1',
              create_time: 1700000000,
              update_time: 1700000000,
            },
            createdIndex: 2,
            modifiedIndex: 2,
          },
          {
            key: '/apisix/upstreams/00000000000000000003',
            value: {
              nodes: {
                '127.0.0.1:8080': 1,
              },
              id: '00000000000000000003',
              create_time: 1700000000,
              update_time: 1700000000,
            },
            createdIndex: 4,
            modifiedIndex: 4,
          },
          {
            key: '/apisix/upstreams/2',
            value: {
              id: '2',
              nodes: {
                '127.0.0.1:8082': 1,
              },
              create_time: 1700000000,
              update_time: 1700000000,
              retries: 2,
            },
            createdIndex: 5,
            modifiedIndex: 7,
          },
        ],
      },
    },
    {
      title: 'Let a route use it',
      method: 'PUT',
      path: '/routes/1',
      body: {
        uri: '/shop/*',
        upstream_id: '1',
      },
      status: 201,
      answer: {
        key: '/apisix/routes/1',
        value: {
          uri: '/shop/*',
          upstream_id: '1',
          id: '1',
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'Delete what is in use',
      method: 'DELETE',
      path: '/upstreams/1',
      status: 400,
      answer: {
        error_msg: 'can not delete this upstream, route [1] is still using it now',
      },
    },
    {
      title: 'Delete what is not',
      method: 'DELETE',
      path: '/upstreams/2',
      status: 200,
      answer: {
        deleted: '1',
        key: '/apisix/upstreams/2',
      },
    },
  ],
}
