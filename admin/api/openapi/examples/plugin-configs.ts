import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const PLUGIN_CONFIGS: ExampleGroup = {
  name: 'plugin_configs',
  about: 'A plugin config holds plugins that several routes share, by `plugin_config_id`.',
  examples: [
    {
      title: 'Create a plugin config',
      method: 'PUT',
      path: '/plugin_configs/1',
      body: {
        desc: 'what all shops have',
        plugins: {
          'request-id': {},
          'limit-count': {
            count: 100,
            time_window: 60,
          },
        },
      },
      status: 201,
      answer: {
        key: '/apisix/plugin_configs/1',
        value: {
          desc: 'what all shops have',
          plugins: {
            'request-id': {},
            'limit-count': {
              count: 100,
              time_window: 60,
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
      title: 'Create one by the id of its body',
      method: 'PUT',
      path: '/plugin_configs',
      body: {
        id: '2',
        plugins: {
          'request-id': {},
        },
      },
      status: 201,
      answer: {
        key: '/apisix/plugin_configs/2',
        value: {
          id: '2',
          plugins: {
            'request-id': {},
          },
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'Show it',
      method: 'GET',
      path: '/plugin_configs/1',
      status: 200,
      answer: {
        key: '/apisix/plugin_configs/1',
        value: {
          desc: 'what all shops have',
          plugins: {
            'request-id': {},
            'limit-count': {
              count: 100,
              time_window: 60,
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
      path: '/plugin_configs/1',
      body: {
        plugins: {
          'request-id': null,
        },
      },
      status: 200,
      answer: {
        key: '/apisix/plugin_configs/1',
        value: {
          desc: 'what all shops have',
          plugins: {
            'limit-count': {
              count: 100,
              time_window: 60,
            },
          },
          id: '1',
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'Set one member by its path',
      method: 'PATCH',
      path: '/plugin_configs/1/plugins/limit-count/count',
      body: 200,
      status: 200,
      answer: {
        key: '/apisix/plugin_configs/1',
        value: {
          desc: 'what all shops have',
          plugins: {
            'limit-count': {
              count: 200,
              time_window: 60,
            },
          },
          id: '1',
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'List',
      method: 'GET',
      path: '/plugin_configs',
      status: 200,
      answer: {
        total: 2,
        list: [
          {
            key: '/apisix/plugin_configs/1',
            value: {
              desc: 'what all shops have',
              plugins: {
                'limit-count': {
                  count: 200,
                  time_window: 60,
                },
              },
              id: '1',
              create_time: 1700000000,
              update_time: 1700000000,
            },
            createdIndex: 2,
            modifiedIndex: 5,
          },
          {
            key: '/apisix/plugin_configs/2',
            value: {
              id: '2',
              plugins: {
                'request-id': {},
              },
              create_time: 1700000000,
              update_time: 1700000000,
            },
            createdIndex: 3,
            modifiedIndex: 3,
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
        plugin_config_id: '1',
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
          uri: '/shop/*',
          plugin_config_id: '1',
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
    },
    {
      title: 'Delete what is in use',
      method: 'DELETE',
      path: '/plugin_configs/1',
      status: 400,
      answer: {
        error_msg: 'can not delete this plugin config, route [1] is still using it now',
      },
    },
    {
      title: 'Delete what is not',
      method: 'DELETE',
      path: '/plugin_configs/2',
      status: 200,
      answer: {
        deleted: '1',
        key: '/apisix/plugin_configs/2',
      },
    },
  ],
}
