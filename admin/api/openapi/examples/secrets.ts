import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const SECRETS: ExampleGroup = {
  name: 'secrets',
  about:
    'A secret tells how to reach a manager of secrets: `vault`, `aws` or `gcp`. Texts such as `$secret://vault/1/shop/key` are looked up there. What gives access to it is stored and never shown.',
  examples: [
    {
      title: 'Create a secret manager',
      method: 'PUT',
      path: '/secrets/vault/1',
      body: {
        uri: 'https://vault.example.com:8200',
        prefix: 'kv/gateway',
        token: '$env://VAULT_TOKEN',
      },
      status: 201,
      answer: {
        key: '/apisix/secrets/vault/1',
        value: {
          uri: 'https://vault.example.com:8200',
          prefix: 'kv/gateway',
          id: 'vault/1',
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
      path: '/secrets/vault/1',
      status: 200,
      answer: {
        key: '/apisix/secrets/vault/1',
        value: {
          uri: 'https://vault.example.com:8200',
          prefix: 'kv/gateway',
          id: 'vault/1',
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
      path: '/secrets/vault/1',
      body: {
        namespace: 'shop',
      },
      status: 200,
      answer: {
        key: '/apisix/secrets/vault/1',
        value: {
          uri: 'https://vault.example.com:8200',
          prefix: 'kv/gateway',
          id: 'vault/1',
          create_time: 1700000000,
          update_time: 1700000000,
          namespace: 'shop',
        },
      },
    },
    {
      title: 'Set one member by its path',
      method: 'PATCH',
      path: '/secrets/vault/1/prefix',
      body: '"kv/shop"',
      status: 200,
      answer: {
        key: '/apisix/secrets/vault/1',
        value: {
          uri: 'https://vault.example.com:8200',
          prefix: 'kv/shop',
          id: 'vault/1',
          create_time: 1700000000,
          update_time: 1700000000,
          namespace: 'shop',
        },
      },
    },
    {
      title: 'List',
      method: 'GET',
      path: '/secrets',
      status: 200,
      answer: {
        total: 1,
        list: [
          {
            key: '/apisix/secrets/vault/1',
            value: {
              uri: 'https://vault.example.com:8200',
              prefix: 'kv/shop',
              id: 'vault/1',
              create_time: 1700000000,
              update_time: 1700000000,
              namespace: 'shop',
            },
            createdIndex: 2,
            modifiedIndex: 4,
          },
        ],
      },
    },
    {
      title: 'A manager that is not known',
      method: 'PUT',
      path: '/secrets/drawer/1',
      body: {
        uri: 'https://vault.example.com',
      },
      status: 400,
      answer: {
        error_msg: 'invalid secret manager: drawer',
      },
    },
    {
      title: 'Delete it',
      method: 'DELETE',
      path: '/secrets/vault/1',
      status: 200,
      answer: {
        deleted: '1',
        key: '/apisix/secrets/vault/1',
      },
    },
  ],
}
