import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const CONSUMERS: ExampleGroup = {
  name: 'consumers',
  about:
    'A consumer is somebody who calls, recognised by an authentication plugin. Its name is its id. It can be replaced, not changed in parts.',
  examples: [
    {
      title: 'Create a consumer',
      method: 'PUT',
      path: '/consumers',
      body: {
        username: 'jack',
        plugins: {
          'key-auth': {
            key: 'jacks-own-key',
          },
          'limit-count': {
            count: 10,
            time_window: 60,
          },
        },
      },
      status: 201,
      answer: {
        key: '/apisix/consumers/jack',
        value: {
          username: 'jack',
          plugins: {
            'key-auth': {
              key: 'jacks-own-key',
            },
            'limit-count': {
              count: 10,
              time_window: 60,
            },
          },
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
      has: {
        etag: '"2"',
      },
    },
    {
      title: 'Replace it',
      method: 'PUT',
      path: '/consumers/jack',
      body: {
        username: 'jack',
        desc: 'the first customer',
        plugins: {
          'key-auth': {
            key: 'jacks-own-key',
          },
        },
      },
      status: 200,
      answer: {
        key: '/apisix/consumers/jack',
        value: {
          username: 'jack',
          desc: 'the first customer',
          plugins: {
            'key-auth': {
              key: 'jacks-own-key',
            },
          },
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'A key that belongs to another',
      method: 'PUT',
      path: '/consumers/jill',
      body: {
        username: 'jill',
        plugins: {
          'key-auth': {
            key: 'jacks-own-key',
          },
        },
      },
      status: 400,
      answer: {
        error_msg: 'duplicate key of plugin key-auth found with consumer: jack',
      },
    },
    {
      title: 'Show it',
      method: 'GET',
      path: '/consumers/jack',
      status: 200,
      answer: {
        key: '/apisix/consumers/jack',
        value: {
          username: 'jack',
          desc: 'the first customer',
          plugins: {
            'key-auth': {
              key: 'jacks-own-key',
            },
          },
          create_time: 1700000000,
          update_time: 1700000000,
        },
        createdIndex: 2,
        modifiedIndex: 3,
      },
      has: {
        etag: '"3"',
      },
    },
    {
      title: 'List',
      method: 'GET',
      path: '/consumers',
      status: 200,
      answer: {
        total: 1,
        list: [
          {
            key: '/apisix/consumers/jack',
            value: {
              username: 'jack',
              desc: 'the first customer',
              plugins: {
                'key-auth': {
                  key: 'jacks-own-key',
                },
              },
              create_time: 1700000000,
              update_time: 1700000000,
            },
            createdIndex: 2,
            modifiedIndex: 3,
          },
        ],
      },
    },
    {
      title: 'A method that consumers do not have',
      method: 'PATCH',
      path: '/consumers/jack',
      body: {
        desc: 'x',
      },
      status: 405,
      answer: {
        error_msg: 'not supported `PATCH` method for consumer',
      },
    },
    {
      title: 'Delete it',
      method: 'DELETE',
      path: '/consumers/jack',
      status: 200,
      answer: {
        deleted: '1',
        key: '/apisix/consumers/jack',
      },
    },
  ],
}
