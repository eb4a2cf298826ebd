import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const GLOBAL_RULES: ExampleGroup = {
  name: 'global_rules',
  about:
    'A global rule holds plugins that run for every request, also for those that no route takes. A plugin stands in one rule only.',
  examples: [
    {
      title: 'Create a global rule',
      method: 'PUT',
      path: '/global_rules/1',
      body: {
        plugins: {
          prometheus: {},
        },
      },
      status: 201,
      answer: {
        key: '/apisix/global_rules/1',
        value: {
          plugins: {
            prometheus: {},
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
      path: '/global_rules',
      body: {
        id: '2',
        plugins: {
          'request-id': {},
        },
      },
      status: 201,
      answer: {
        key: '/apisix/global_rules/2',
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
      title: 'A plugin that another rule has',
      method: 'PUT',
      path: '/global_rules/3',
      body: {
        plugins: {
          prometheus: {},
        },
      },
      status: 400,
      answer: {
        error_msg: "plugin 'prometheus' already exists in global rule with id '1'",
      },
    },
    {
      title: 'Show it',
      method: 'GET',
      path: '/global_rules/1',
      status: 200,
      answer: {
        key: '/apisix/global_rules/1',
        value: {
          plugins: {
            prometheus: {},
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
      path: '/global_rules/2',
      body: {
        plugins: {
          'request-id': {
            header_name: 'X-Trace',
          },
        },
      },
      status: 200,
      answer: {
        key: '/apisix/global_rules/2',
        value: {
          id: '2',
          plugins: {
            'request-id': {
              header_name: 'X-Trace',
            },
          },
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'Set one member by its path',
      method: 'PATCH',
      path: '/global_rules/2/plugins/request-id/include_in_response',
      body: false,
      status: 200,
      answer: {
        key: '/apisix/global_rules/2',
        value: {
          id: '2',
          plugins: {
            'request-id': {
              header_name: 'X-Trace',
              include_in_response: false,
            },
          },
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'List',
      method: 'GET',
      path: '/global_rules',
      status: 200,
      answer: {
        total: 2,
        list: [
          {
            key: '/apisix/global_rules/1',
            value: {
              plugins: {
                prometheus: {},
              },
              id: '1',
              create_time: 1700000000,
              update_time: 1700000000,
            },
            createdIndex: 2,
            modifiedIndex: 2,
          },
          {
            key: '/apisix/global_rules/2',
            value: {
              id: '2',
              plugins: {
                'request-id': {
                  header_name: 'X-Trace',
                  include_in_response: false,
                },
              },
              create_time: 1700000000,
              update_time: 1700000000,
            },
            createdIndex: 3,
            modifiedIndex: 5,
          },
        ],
      },
    },
    {
      title: 'Delete it',
      method: 'DELETE',
      path: '/global_rules/1',
      status: 200,
      answer: {
        deleted: '1',
        key: '/apisix/global_rules/1',
      },
    },
  ],
}
