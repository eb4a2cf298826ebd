import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const PROTOS: ExampleGroup = {
  name: 'protos',
  about: 'A proto holds Protocol Buffers definitions for plugins that translate between JSON and gRPC.',
  examples: [
    {
      title: 'Create a proto',
      method: 'PUT',
      path: '/protos/1',
      body: {
        content:
          'syntax = "proto3";\npackage shop;\nmessage Order { string id = 1; }\nservice Orders { rpc Place(Order) returns (Order); }',
      },
      status: 201,
      answer: {
        key: '/apisix/protos/1',
        value: {
          content:
            'syntax = "proto3";\npackage shop;\nmessage Order { string id = 1; }\nservice Orders { rpc Place(Order) returns (Order); }',
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
      path: '/protos',
      body: {
        content: 'syntax = "proto3";\nmessage Empty {}',
      },
      status: 201,
      answer: {
        key: '/apisix/protos/00000000000000000003',
        value: {
          content: 'syntax = "proto3";\nmessage Empty {}',
          id: '00000000000000000003',
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'Create one by the id of its body',
      method: 'PUT',
      path: '/protos',
      body: {
        id: '2',
        content: 'syntax = "proto3";\nmessage Empty {}',
      },
      status: 201,
      answer: {
        key: '/apisix/protos/2',
        value: {
          id: '2',
          content: 'syntax = "proto3";\nmessage Empty {}',
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'Show it',
      method: 'GET',
      path: '/protos/1',
      status: 200,
      answer: {
        key: '/apisix/protos/1',
        value: {
          content:
            'syntax = "proto3";\npackage shop;\nmessage Order { string id = 1; }\nservice Orders { rpc Place(Order) returns (Order); }',
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
      path: '/protos?page=2&page_size=10',
      status: 200,
      answer: {
        total: 3,
        list: {},
      },
    },
    {
      title: 'A definition that cannot be read',
      method: 'PUT',
      path: '/protos/3',
      body: {
        content: 'message Order {',
      },
      status: 400,
      answer: {
        error_msg: "invalid content: illegal token 'null' (line 1)",
      },
    },
    {
      title: 'Delete it',
      method: 'DELETE',
      path: '/protos/1',
      status: 200,
      answer: {
        deleted: '1',
        key: '/apisix/protos/1',
      },
    },
  ],
}
