import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const SCHEMA: ExampleGroup = {
  name: 'schema',
  about:
    'The schemas that documents are checked against, and a check of a single document that stores nothing.',
  examples: [
    {
      title: 'The schema of a kind',
      method: 'GET',
      path: '/schema/plugin_config',
      status: 200,
      answer: {
        type: 'object',
        properties: {
          id: {
            anyOf: [
              {
                type: 'string',
                minLength: 1,
                maxLength: 64,
                pattern: '^[a-zA-Z0-9-_.]+$',
              },
              {
                type: 'integer',
                minimum: 1,
              },
            ],
          },
          name: {
            type: 'string',
          },
          desc: {
            type: 'string',
            maxLength: 256,
          },
          labels: {
            type: 'object',
            description: 'key-value pairs that mark and find resources',
            patternProperties: {
              '.*': {
                type: 'string',
                minLength: 1,
                maxLength: 256,
                pattern: '^\\S+$',
              },
            },
          },
          create_time: {
            type: 'integer',
          },
          update_time: {
            type: 'integer',
          },
          plugins: {
            type: 'object',
          },
        },
        required: ['id', 'plugins'],
        additionalProperties: false,
      },
    },
    {
      title: 'One that is not known',
      method: 'GET',
      path: '/schema/no_such_kind',
      status: 400,
      answer: {
        error_msg: 'not found schema: no_such_kind',
      },
    },
    {
      title: 'A document that is valid',
      method: 'POST',
      path: '/schema/validate/routes',
      body: {
        uri: '/shop/*',
        upstream: {
          type: 'roundrobin',
          nodes: {
            '127.0.0.1:8080': 1,
          },
        },
      },
      status: 200,
    },
    {
      title: 'One that is not',
      method: 'POST',
      path: '/schema/validate/routes',
      body: {
        uri: 5,
      },
      status: 400,
      answer: {
        error_msg: 'property "uri" validation failed: wrong type: expected string, got number',
      },
    },
  ],
}
