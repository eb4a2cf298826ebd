import type { ExampleGroup } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const PLUGINS: ExampleGroup = {
  name: 'plugins',
  about:
    'Which plugins are enabled, and what they take. `plugins/reload` reads the list of plugins from the settings file anew and hands it to all nodes.',
  examples: [
    {
      title: 'Names, highest priority first',
      method: 'GET',
      path: '/plugins/list',
      status: 200,
      answer: ['request-id', 'key-auth', 'limit-count', 'prometheus'],
    },
    {
      title: 'The schema of a plugin',
      method: 'GET',
      path: '/plugins/request-id',
      status: 200,
      answer: {
        type: 'object',
        properties: {
          header_name: {
            type: 'string',
            default: 'X-Request-Id',
            description: 'Header that carries the id, toward the upstream and back to the client.',
          },
          include_in_response: {
            type: 'boolean',
            default: true,
            description: 'Send the id to the client too, unless the response has the header already.',
          },
          algorithm: {
            type: 'string',
            enum: ['uuid', 'nanoid', 'range_id', 'ksuid', 'uuidv7'],
            default: 'uuid',
            description: 'How a new id is made.',
          },
          range_id: {
            type: 'object',
            default: {},
            description: 'For `range_id` only.',
            properties: {
              length: {
                type: 'integer',
                minimum: 6,
                default: 16,
                description: 'Characters of an id.',
              },
              char_set: {
                type: 'string',
                minLength: 6,
                default: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIGKLMNOPQRSTUVWXYZ0123456789',
                description: 'Characters to draw from.',
              },
            },
          },
        },
      },
    },
    {
      title: 'Its schema on a consumer',
      method: 'GET',
      path: '/schema/plugins/key-auth?schema_type=consumer',
      status: 200,
      answer: {
        type: 'object',
        properties: {
          key: {
            type: 'string',
            description: 'The secret key, unique among consumers.',
          },
        },
        required: ['key'],
      },
    },
    {
      title: 'Every plugin for streams with its schemas',
      method: 'GET',
      path: '/plugins?all=true&subsystem=stream',
      status: 200,
      answer: {},
    },
    {
      title: 'One that is not enabled',
      method: 'GET',
      path: '/plugins/no-such-plugin',
      status: 404,
      answer: {
        error_msg: 'plugin not found in subsystem http',
      },
    },
    {
      title: 'Read the list anew',
      method: 'PUT',
      path: '/plugins/reload',
      status: 200,
      answer: 'done',
    },
  ],
}
