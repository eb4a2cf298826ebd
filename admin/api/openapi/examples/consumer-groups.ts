import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const CONSUMER_GROUPS: ExampleGroup = {
  name: 'consumer_groups',
  about: 'A consumer group holds plugins for the consumers that name it by `group_id`.',
  examples: [
    {
      title: 'Create a consumer group',
      method: 'PUT',
      path: '/consumer_groups/gold',
      body: {
        plugins: {
          'limit-count': {
            count: 1000,
            time_window: 60,
          },
        },
      },
      status: 201,
      answer: {
        key: '/apisix/consumer_groups/gold',
        value: {
          plugins: {
            'limit-count': {
              count: 1000,
              time_window: 60,
            },
          },
          id: 'gold',
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
      path: '/consumer_groups',
      body: {
        id: 'silver',
        plugins: {
          'limit-count': {
            count: 100,
            time_window: 60,
          },
        },
      },
      status: 201,
      answer: {
        key: '/apisix/consumer_groups/silver',
        value: {
          id: 'silver',
          plugins: {
            'limit-count': {
              count: 100,
              time_window: 60,
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
      path: '/consumer_groups/gold',
      status: 200,
      answer: {
        key: '/apisix/consumer_groups/gold',
        value: {
          plugins: {
            'limit-count': {
              count: 1000,
              time_window: 60,
            },
          },
          id: 'gold',
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
      path: '/consumer_groups/gold',
      body: {
        desc: 'those who pay',
      },
      status: 200,
      answer: {
        key: '/apisix/consumer_groups/gold',
        value: {
          plugins: {
            'limit-count': {
              count: 1000,
              time_window: 60,
            },
          },
          id: 'gold',
          create_time: 1700000000,
          update_time: 1700000000,
          desc: 'those who pay',
        },
      },
    },
    {
      title: 'Set one member by its path',
      method: 'PATCH',
      path: '/consumer_groups/gold/plugins/limit-count/count',
      body: 2000,
      status: 200,
      answer: {
        key: '/apisix/consumer_groups/gold',
        value: {
          plugins: {
            'limit-count': {
              count: 2000,
              time_window: 60,
            },
          },
          id: 'gold',
          create_time: 1700000000,
          update_time: 1700000000,
          desc: 'those who pay',
        },
      },
    },
    {
      title: 'List',
      method: 'GET',
      path: '/consumer_groups',
      status: 200,
      answer: {
        total: 2,
        list: [
          {
            key: '/apisix/consumer_groups/gold',
            value: {
              plugins: {
                'limit-count': {
                  count: 2000,
                  time_window: 60,
                },
              },
              id: 'gold',
              create_time: 1700000000,
              update_time: 1700000000,
              desc: 'those who pay',
            },
            createdIndex: 2,
            modifiedIndex: 5,
          },
          {
            key: '/apisix/consumer_groups/silver',
            value: {
              id: 'silver',
              plugins: {
                'limit-count': {
                  count: 100,
                  time_window: 60,
                },
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
      title: 'Delete it',
      method: 'DELETE',
      path: '/consumer_groups/gold',
      status: 200,
      answer: {
        deleted: '1',
        key: '/apisix/consumer_groups/gold',
      },
    },
  ],
}
