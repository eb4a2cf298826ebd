import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const ROUTES: ExampleGroup = {
  name: 'routes',
  about:
    'A route says which requests it takes (`uri`, `methods`, `hosts`, `vars` …), what its plugins do with them, and where they go: to an `upstream` of its own, to a shared one by `upstream_id`, or as its service says.',
  examples: [
    {
      title: 'Create a route',
      method: 'PUT',
      path: '/routes/1',
      body: {
        name: 'shop',
        uri: '/shop/*',
        methods: ['GET', 'POST'],
        labels: {
          team: 'a',
        },
        plugins: {
          'limit-count': {
            count: 100,
            time_window: 60,
          },
        },
        upstream: {
          type: 'roundrobin',
          nodes: {
            '127.0.0.1:8080': 1,
          },
        },
      },
      status: 201,
      answer: {
        key: '/apisix/routes/1',
        value: {
          name: 'shop',
          uri: '/shop/*',
          methods: ['GET', 'POST'],
          labels: {
            team: 'a',
          },
          plugins: {
            'limit-count': {
              count: 100,
              time_window: 60,
            },
          },
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
      title: 'Show it',
      method: 'GET',
      path: '/routes/1',
      status: 200,
      answer: {
        key: '/apisix/routes/1',
        value: {
          name: 'shop',
          uri: '/shop/*',
          methods: ['GET', 'POST'],
          labels: {
            team: 'a',
          },
          plugins: {
            'limit-count': {
              count: 100,
              time_window: 60,
            },
          },
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
      title: 'Change some members; null removes one',
      method: 'PATCH',
      path: '/routes/1',
      headers: {
        'if-match': '"2"',
      },
      body: {
        desc: 'the shop',
        labels: null,
      },
      status: 200,
      answer: {
        key: '/apisix/routes/1',
        value: {
          name: 'shop',
          uri: '/shop/*',
          methods: ['GET', 'POST'],
          plugins: {
            'limit-count': {
              count: 100,
              time_window: 60,
            },
          },
          upstream: {
            type: 'roundrobin',
            nodes: {
              '127.0.0.1:8080': 1,
            },
          },
          id: '1',
          create_time: 1700000000,
          update_time: 1700000000,
          desc: 'the shop',
        },
      },
      has: {
        etag: '"3"',
      },
    },
    {
      title: 'Set one member by its path',
      method: 'PATCH',
      path: '/routes/1/upstream/nodes',
      body: {
        '127.0.0.1:8081': 1,
      },
      status: 200,
      answer: {
        key: '/apisix/routes/1',
        value: {
          name: 'shop',
          uri: '/shop/*',
          methods: ['GET', 'POST'],
          plugins: {
            'limit-count': {
              count: 100,
              time_window: 60,
            },
          },
          upstream: {
            type: 'roundrobin',
            nodes: {
              '127.0.0.1:8081': 1,
            },
          },
          id: '1',
          create_time: 1700000000,
          update_time: 1700000000,
          desc: 'the shop',
        },
      },
      has: {
        etag: '"4"',
      },
    },
    {
      title: 'Write only what nobody changed meanwhile',
      method: 'PUT',
      path: '/routes/1',
      headers: {
        'if-match': '"2"',
      },
      body: {
        uri: '/shop/*',
        upstream: {
          type: 'roundrobin',
          nodes: {
            '127.0.0.1:8080': 1,
          },
        },
      },
      status: 412,
      answer: {
        error_msg: 'precondition failed: /apisix/routes/1 is at revision 4; If-Match asks for revision 2',
      },
    },
    {
      title: 'Create one under a new id',
      method: 'POST',
      path: '/routes',
      body: {
        uri: '/news',
        upstream: {
          type: 'roundrobin',
          nodes: {
            '127.0.0.1:8080': 1,
          },
        },
      },
      status: 201,
      answer: {
        key: '/apisix/routes/00000000000000000005',
        value: {
          uri: '/news',
          upstream: {
            type: 'roundrobin',
            nodes: {
              '127.0.0.1:8080': 1,
            },
          },
          id: '00000000000000000005',
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
      has: {
        etag: '"6"',
      },
    },
    {
      title: 'Create one by the id of its body, and wait until it is served',
      method: 'PUT',
      path: '/routes?wait=applied&timeout=5s',
      body: {
        id: '2',
        uri: '/blog',
        upstream: {
          type: 'roundrobin',
          nodes: {
            '127.0.0.1:8080': 1,
          },
        },
      },
      status: 201,
      answer: {
        key: '/apisix/routes/2',
        value: {
          id: '2',
          uri: '/blog',
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
      has: {
        etag: '"7"',
        'x-gatewright-applied': '7',
      },
    },
    {
      title: 'Try a change without making it',
      method: 'PUT',
      path: '/routes/2?dry_run=true',
      body: {
        uri: '/weblog',
        upstream: {
          type: 'roundrobin',
          nodes: {
            '127.0.0.1:8080': 1,
          },
        },
      },
      status: 200,
      answer: {
        key: '/apisix/routes/2',
        value: {
          uri: '/weblog',
          upstream: {
            type: 'roundrobin',
            nodes: {
              '127.0.0.1:8080': 1,
            },
          },
          id: '2',
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
      has: {
        'x-gatewright-dry-run': 'true',
      },
    },
    {
      title: 'A document that is not valid',
      method: 'PUT',
      path: '/routes/3',
      body: {
        uri: '/a',
        methods: ['FETCH'],
        upstream: {
          type: 'roundrobin',
          nodes: {
            '127.0.0.1:8080': 1,
          },
        },
      },
      status: 400,
      answer: {
        error_msg:
          'invalid configuration: property "methods" validation failed: failed to validate item 1: matches none of the enum values',
      },
    },
    {
      title: 'List with a filter and a page',
      method: 'GET',
      path: '/routes?name=sho&page=1&page_size=10',
      status: 200,
      answer: {
        total: 1,
        list: [
          {
            key: '/apisix/routes/1',
            value: {
              name: 'shop',
              uri: '/shop/*',
              methods: ['GET', 'POST'],
              plugins: {
                'limit-count': {
                  count: 100,
                  time_window: 60,
                },
              },
              upstream: {
                type: 'roundrobin',
                nodes: {
                  '127.0.0.1:8081': 1,
                },
              },
              id: '1',
              create_time: 1700000000,
              update_time: 1700000000,
              desc: 'the shop',
            },
            createdIndex: 2,
            modifiedIndex: 4,
          },
        ],
      },
    },
    {
      title: 'Delete it',
      method: 'DELETE',
      path: '/routes/1',
      status: 200,
      answer: {
        deleted: '1',
        key: '/apisix/routes/1',
      },
    },
    {
      title: 'Show what is not there',
      method: 'GET',
      path: '/routes/1',
      status: 404,
      answer: {
        message: 'Key not found',
      },
    },
    {
      title: 'Without a key of the API',
      method: 'GET',
      path: '/routes',
      headers: {
        'x-api-key': 'none-of-the-keys',
      },
      status: 401,
      answer: {
        error_msg: 'failed to check token',
        description: 'wrong apikey',
      },
    },
  ],
}
