import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const CREDENTIALS: ExampleGroup = {
  name: 'credentials',
  about:
    'A credential is one more way to recognise a consumer: it holds one authentication plugin. Deleting the consumer deletes its credentials.',
  examples: [
    {
      title: 'Create the consumer',
      method: 'PUT',
      path: '/consumers',
      body: {
        username: 'jack',
      },
      status: 201,
      answer: {
        key: '/apisix/consumers/jack',
        value: {
          username: 'jack',
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'Create a credential',
      method: 'PUT',
      path: '/consumers/jack/credentials/phone',
      body: {
        plugins: {
          'key-auth': {
            key: 'key-of-the-phone',
          },
        },
      },
      status: 201,
      answer: {
        key: '/apisix/consumers/jack/credentials/phone',
        value: {
          plugins: {
            'key-auth': {
              key: 'key-of-the-phone',
            },
          },
          id: 'phone',
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'Show it',
      method: 'GET',
      path: '/consumers/jack/credentials/phone',
      status: 200,
      answer: {
        key: '/apisix/consumers/jack/credentials/phone',
        value: {
          plugins: {
            'key-auth': {
              key: 'key-of-the-phone',
            },
          },
          id: 'phone',
          create_time: 1700000000,
          update_time: 1700000000,
        },
        createdIndex: 3,
        modifiedIndex: 3,
      },
      has: {
        etag: '"3"',
      },
    },
    {
      title: 'List those of the consumer',
      method: 'GET',
      path: '/consumers/jack/credentials',
      status: 200,
      answer: {
        total: 1,
        list: [
          {
            key: '/apisix/consumers/jack/credentials/phone',
            value: {
              plugins: {
                'key-auth': {
                  key: 'key-of-the-phone',
                },
              },
              id: 'phone',
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
      title: 'Of a consumer that is not there',
      method: 'PUT',
      path: '/consumers/jill/credentials/phone',
      body: {
        plugins: {
          'key-auth': {
            key: 'another-key',
          },
        },
      },
      status: 404,
      answer: {
        error_msg: 'consumer not found',
      },
    },
    {
      title: 'Delete it',
      method: 'DELETE',
      path: '/consumers/jack/credentials/phone',
      status: 200,
      answer: {
        deleted: '1',
        key: '/apisix/consumers/jack/credentials/phone',
      },
    },
  ],
}
