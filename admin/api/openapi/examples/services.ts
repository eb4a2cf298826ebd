import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const SERVICES: ExampleGroup = {
  name: 'services',
  about:
    'A service holds what several routes have in common: an upstream, plugins, hosts. A route names it by `service_id`; what the route says itself wins.',
  examples: [
    {
      title: 'Create a service',
      method: 'PUT',
      path: '/services/1',
      body: {
        name: 'shop',
        hosts: ['shop.example.com'],
        plugins: {
          'request-id': {},
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
        key: '/apisix/services/1',
        value: {
          name: 'shop',
          hosts: ['shop.example.com'],
          plugins: {
            'request-id': {},
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
      title: 'Create one under a new id',
      method: 'POST',
      path: '/services',
      body: {
        name: 'news',
        upstream: {
          type: 'roundrobin',
          nodes: {
            '127.0.0.1:8080': 1,
          },
        },
      },
      status: 201,
      answer: {
        key: '/apisix/services/00000000000000000003',
        value: {
          name: 'news',
          upstream: {
            type: 'roundrobin',
            nodes: {
              '127.0.0.1:8080': 1,
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
      path: '/services',
      body: {
        id: '2',
        upstream: {
          type: 'roundrobin',
          nodes: {
            '127.0.0.1:8080': 1,
          },
        },
      },
      status: 201,
      answer: {
        key: '/apisix/services/2',
        value: {
          id: '2',
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
      path: '/services/1',
      status: 200,
      answer: {
        key: '/apisix/services/1',
        value: {
          name: 'shop',
          hosts: ['shop.example.com'],
          plugins: {
            'request-id': {},
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
      title: 'Change some members',
      method: 'PATCH',
      path: '/services/1',
      body: {
        enable_websocket: true,
      },
      status: 200,
      answer: {
        key: '/apisix/services/1',
        value: {
          name: 'shop',
          hosts: ['shop.example.com'],
          plugins: {
            'request-id': {},
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
          enable_websocket: true,
        },
      },
    },
    {
      title: 'Set one member by its path',
      method: 'PATCH',
      path: '/services/1/upstream/nodes',
      body: {
        '127.0.0.1:8081': 1,
      },
      status: 200,
      answer: {
        key: '/apisix/services/1',
        value: {
          name: 'shop',
          hosts: ['shop.example.com'],
          plugins: {
            'request-id': {},
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
          enable_websocket: true,
        },
      },
    },
    {
      title: 'List',
      method: 'GET',
      path: '/services?label=team',
      status: 200,
      answer: {
        total: 0,
        list: [],
      },
    },
    {
      title: 'Let a route use it',
      method: 'PUT',
      path: '/routes/1',
      body: {
        uri: '/shop/*',
        service_id: '1',
      },
      status: 201,
      answer: {
        key: '/apisix/routes/1',
        value: {
          uri: '/shop/*',
          service_id: '1',
          id: '1',
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'Delete what is in use',
      method: 'DELETE',
      path: '/services/1',
      status: 400,
      answer: {
        error_msg: 'can not delete this service directly, route [1] is still using it now',
      },
    },
    {
      title: 'Delete it all the same',
      method: 'DELETE',
      path: '/services/1?force=true',
      status: 200,
      answer: {
        deleted: '1',
        key: '/apisix/services/1',
      },
    },
  ],
}
