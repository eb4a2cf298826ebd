import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const STREAM_ROUTES: ExampleGroup = {
  name: 'stream_routes',
  about:
    'A stream route says which TCP and UDP connections go where. It is stored and checked; connections are not served yet.',
  examples: [
    {
      title: 'Create a stream route',
      method: 'PUT',
      path: '/stream_routes/1',
      body: {
        server_port: 9100,
        upstream: {
          type: 'roundrobin',
          nodes: {
            '127.0.0.1:8080': 1,
          },
        },
      },
      status: 201,
      answer: {
        key: '/apisix/stream_routes/1',
        value: {
          server_port: 9100,
          upstream: {
            type: 'roundrobin',
            nodes: {
              '127.0.0.1:8080': 1,
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
      path: '/stream_routes',
      body: {
        sni: 'db.example.com',
        upstream: {
          nodes: {
            '127.0.0.1:5432': 1,
          },
        },
      },
      status: 201,
      answer: {
        key: '/apisix/stream_routes/00000000000000000003',
        value: {
          sni: 'db.example.com',
          upstream: {
            nodes: {
              '127.0.0.1:5432': 1,
            },
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
      path: '/stream_routes',
      body: {
        id: '2',
        server_port: 9101,
        upstream: {
          type: 'roundrobin',
          nodes: {
            '127.0.0.1:8080': 1,
          },
        },
      },
      status: 201,
      answer: {
        key: '/apisix/stream_routes/2',
        value: {
          id: '2',
          server_port: 9101,
          upstream: {
            type: 'roundrobin',
            nodes: {
              '127.0.0.1:8080': 1,
            },
          },
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'Show it',
      method: 'GET',
      path: '/stream_routes/1',
      status: 200,
      answer: {
        key: '/apisix/stream_routes/1',
        value: {
          server_port: 9100,
          upstream: {
            type: 'roundrobin',
            nodes: {
              '127.0.0.1:8080': 1,
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
      title: 'List',
      method: 'GET',
      path: '/stream_routes?page=2&page_size=10',
      status: 200,
      answer: {
        total: 3,
        list: {},
      },
    },
    {
      title: 'Delete it',
      method: 'DELETE',
      path: '/stream_routes/1',
      status: 200,
      answer: {
        deleted: '1',
        key: '/apisix/stream_routes/1',
      },
    },
  ],
}
