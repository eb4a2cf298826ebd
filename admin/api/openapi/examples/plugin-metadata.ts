import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const PLUGIN_METADATA: ExampleGroup = {
  name: 'plugin_metadata',
  about:
    'Metadata is what all instances of a plugin share. It stands under the name of the plugin; only plugins with a metadata schema take it.',
  examples: [
    {
      title: 'Create metadata',
      method: 'PUT',
      path: '/plugin_metadata/limit-count',
      body: {
        remaining_header: 'X-Left',
      },
      status: 201,
      answer: {
        key: '/apisix/plugin_metadata/limit-count',
        value: {
          remaining_header: 'X-Left',
          id: 'limit-count',
        },
      },
    },
    {
      title: 'Show it',
      method: 'GET',
      path: '/plugin_metadata/limit-count',
      status: 200,
      answer: {
        key: '/apisix/plugin_metadata/limit-count',
        value: {
          remaining_header: 'X-Left',
          id: 'limit-count',
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
      path: '/plugin_metadata',
      status: 200,
      answer: {
        total: 1,
        list: [
          {
            key: '/apisix/plugin_metadata/limit-count',
            value: {
              remaining_header: 'X-Left',
              id: 'limit-count',
            },
            createdIndex: 2,
            modifiedIndex: 2,
          },
        ],
      },
    },
    {
      title: 'Of a plugin that is not there',
      method: 'PUT',
      path: '/plugin_metadata/no-such-plugin',
      body: {},
      status: 400,
      answer: {
        error_msg: 'invalid plugin name',
      },
    },
    {
      title: 'Delete it',
      method: 'DELETE',
      path: '/plugin_metadata/limit-count',
      status: 200,
      answer: {
        deleted: '1',
        key: '/apisix/plugin_metadata/limit-count',
      },
    },
  ],
}
