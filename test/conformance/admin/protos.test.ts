import { describe } from 'node:test'
import { checkRows, NOW } from './start-admin.ts'

const PROTO = { content: 'syntax = "proto3"; package hello; message Ask { string name = 1; }' }
const STORED = { ...PROTO, id: 'p1', create_time: 5, update_time: 6 }
const GIVEN = { 'protos/p1': STORED }
const KEY = '/apisix/protos/p1'
const inUse = (kind: 'routes' | 'services' | 'plugin_configs') => ({
  given: { ...GIVEN, [`${kind}/7`]: { plugins: { 'grpc-transcode': { proto_id: 'p1' } } } },
  dependents: [{ kind, id: '7', via: 'plugin' }] as const,
})

describe('a proto', () => {
  checkRows([
    {
      rule: 'is stored by PUT',
      request: ['PUT', '/protos/p1', PROTO],
      status: 201,
      answer: { key: KEY, value: { ...PROTO, id: 'p1', create_time: NOW, update_time: NOW } },
    },
    {
      rule: 'gets an id by POST',
      request: ['POST', '/protos', PROTO],
      status: 201,
      answer: {
        key: '/apisix/protos/00000000000000000002',
        value: { ...PROTO, id: '00000000000000000002', create_time: NOW, update_time: NOW },
      },
    },
    {
      rule: 'is not changed by PATCH',
      given: GIVEN,
      request: ['PATCH', '/protos/p1', { desc: 'd' }],
      status: 405,
      answer: 'not supported `PATCH` method for proto',
    },
    {
      rule: 'needs a content',
      request: ['PUT', '/protos/p1', {}],
      status: 400,
      answer: 'invalid configuration: property "content" is required',
    },
    { rule: 'can be compiled', request: ['PUT', '/protos/p1', { content: 'oops' }], status: 400 },
    { rule: 'needs an id', request: ['PUT', '/protos', PROTO], status: 400, answer: 'missing proto id' },
    {
      rule: 'is shown',
      given: GIVEN,
      request: ['GET', '/protos/p1'],
      status: 200,
      answer: { key: KEY, value: STORED, createdIndex: 2, modifiedIndex: 2 },
    },
    {
      rule: 'is listed',
      given: GIVEN,
      request: ['GET', '/protos'],
      status: 200,
      answer: { total: 1, list: [{ key: KEY, value: STORED, createdIndex: 2, modifiedIndex: 2 }] },
    },
    {
      rule: 'is not deleted while a route has its messages transcoded with it',
      ...inUse('routes'),
      request: ['DELETE', '/protos/p1'],
      status: 400,
      answer: 'can not delete this proto, route [7] is still using it now',
    },
    {
      rule: 'is not deleted while a service has',
      ...inUse('services'),
      request: ['DELETE', '/protos/p1'],
      status: 400,
      answer: 'can not delete this proto, service [7] is still using it now',
    },
    {
      rule: 'is deleted whatever others have',
      ...inUse('plugin_configs'),
      request: ['DELETE', '/protos/p1'],
      status: 200,
      answer: { deleted: '1', key: KEY },
    },
    {
      rule: 'is deleted by force',
      ...inUse('routes'),
      request: ['DELETE', '/protos/p1?force=true'],
      status: 200,
    },
  ])
})
