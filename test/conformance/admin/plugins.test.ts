import { describe } from 'node:test'
import { PluginReloadError } from '../../../src/plugin/reload-error.ts'
import { checkRows, TEST_PLUGINS } from './start-admin.ts'

describe('schemas of plugin metadata', () => {
  checkRows([
    {
      rule: 'are shown when they are asked for',
      request: ['GET', '/plugins/test-log?schema_type=metadata'],
      status: 200,
      answer: TEST_PLUGINS.log.metadataSchema,
    },
    {
      rule: 'are shown below schema/plugins too',
      request: ['GET', '/schema/plugins/test-log?schema_type=metadata'],
      status: 200,
      answer: TEST_PLUGINS.log.metadataSchema,
    },
    {
      rule: 'are not found where there is no metadata',
      request: ['GET', '/plugins/test-limit?schema_type=metadata'],
      status: 400,
      answer: 'not found schema',
    },
  ])
})

describe('plugins/reload', () => {
  const methods = ['GET', 'POST', 'PATCH', 'DELETE'] as const
  checkRows(
    methods.map((method) => ({
      rule: `is not for ${method}`,
      request: [method, '/plugins/reload'],
      status: 405,
      answer: `please use PUT method to reload the plugins, ${method} method is not allowed.`,
    })),
  )
  checkRows([
    { rule: 'answers done', request: ['PUT', '/plugins/reload'], status: 200, answer: 'done' },
    {
      rule: 'answers done with a slash at the end',
      request: ['PUT', '/plugins/reload/'],
      status: 200,
      answer: 'done',
    },
  ])
  checkRows(
    [
      {
        rule: 'tells why the list cannot be taken over',
        request: ['PUT', '/plugins/reload'],
        status: 400,
        answer: 'restart it',
      },
    ],
    { reloadPlugins: () => Promise.reject(new PluginReloadError('restart it')) },
  )
})
