import { describe } from 'node:test'
import { checkRows, NOW } from './start-admin.ts'

const NODES = { nodes: { '127.0.0.1:1980': 1 } }
const ROUTE = { server_port: 9100, upstream: NODES }
const STORED = { ...ROUTE, id: '1', service_id: '9', create_time: 5, update_time: 6 }
const GIVEN = { 'stream_routes/1': STORED }
const KEY = '/apisix/stream_routes/1'
const SHOWN = { key: KEY, value: STORED, createdIndex: 2, modifiedIndex: 2 }
const OFF = 'stream mode is disabled, can not add stream routes'

describe('a stream route', () => {
  checkRows([
    {
      rule: 'is stored by PUT',
      request: ['PUT', '/stream_routes/1', ROUTE],
      status: 201,
      answer: { key: KEY, value: { ...ROUTE, id: '1', create_time: NOW, update_time: NOW } },
    },
    { rule: 'gets an id by POST', request: ['POST', '/stream_routes', ROUTE], status: 201 },
    {
      rule: 'is not changed by PATCH',
      given: GIVEN,
      request: ['PATCH', '/stream_routes/1', { desc: 'd' }],
      status: 405,
      answer: 'not supported `PATCH` method for stream route',
    },
    {
      rule: 'needs an id',
      request: ['PUT', '/stream_routes', ROUTE],
      status: 400,
      answer: 'missing stream route id',
    },
    {
      rule: 'has a port that can be one',
      request: ['PUT', '/stream_routes/1', { ...ROUTE, server_port: 0 }],
      status: 400,
      answer: 'invalid configuration: property "server_port" validation failed: expected 0 to be at least 1',
    },
    {
      rule: 'refers to an upstream that is there',
      request: ['PUT', '/stream_routes/1', { upstream_id: 'x' }],
      status: 400,
      answer: 'failed to fetch upstream info by upstream id [x], response code: 404',
    },
    {
      rule: 'refers to a service that is there',
      request: ['PUT', '/stream_routes/1', { ...ROUTE, service_id: 'x' }],
      status: 400,
      answer: 'failed to fetch service info by service id [x], response code: 404',
    },
    {
      rule: 'is not its own superior',
      request: ['PUT', '/stream_routes/1', { ...ROUTE, protocol: { name: 'redis', superior_id: '1' } }],
      status: 400,
      answer: 'stream route can not set itself as superior_id',
    },
    {
      rule: 'has a superior that is there',
      request: ['PUT', '/stream_routes/1', { ...ROUTE, protocol: { name: 'redis', superior_id: 2 } }],
      status: 400,
      answer: 'failed to fetch stream routes[2], response code: 404',
    },
    {
      rule: 'has plugins that run on streams, of which there are none',
      request: ['PUT', '/stream_routes/1', { ...ROUTE, plugins: { 'mqtt-proxy': {} } }],
      status: 400,
      answer: 'unknown plugin [mqtt-proxy]',
    },
    {
      rule: 'has a protocol that is known, of which there are none',
      request: ['PUT', '/stream_routes/1', { ...ROUTE, protocol: { name: 'redis' } }],
      status: 400,
      answer: 'unknown protocol [redis]',
    },
    { rule: 'is shown', given: GIVEN, request: ['GET', '/stream_routes/1'], status: 200, answer: SHOWN },
    {
      rule: 'is found by what it refers to',
      given: { ...GIVEN, 'stream_routes/2': ROUTE },
      request: ['GET', '/stream_routes?filter=service_id%3D9'],
      status: 200,
      answer: { total: 1, list: [SHOWN] },
    },
    {
      rule: 'keeps its service from being deleted',
      given: { ...GIVEN, 'services/9': {} },
      dependents: [{ kind: 'stream_routes', id: '1', via: 'reference' }],
      request: ['DELETE', '/services/9'],
      status: 400,
      answer: 'can not delete this service directly, stream_route [1] is still using it now',
    },
    {
      rule: 'does not keep its upstream from being deleted',
      given: { 'upstreams/1': {}, 'stream_routes/1': { upstream_id: '1' } },
      dependents: [{ kind: 'stream_routes', id: '1', via: 'reference' }],
      request: ['DELETE', '/upstreams/1'],
      status: 200,
    },
    {
      rule: 'is not deleted while it is the superior of another',
      given: { ...GIVEN, 'stream_routes/2': { ...ROUTE, protocol: { name: 'redis', superior_id: 1 } } },
      request: ['DELETE', '/stream_routes/1'],
      status: 400,
      answer: 'can not delete this stream route directly, stream route [2] is still using it as superior_id',
    },
    {
      rule: 'is deleted by force all the same',
      given: { ...GIVEN, 'stream_routes/2': { ...ROUTE, protocol: { name: 'redis', superior_id: 1 } } },
      request: ['DELETE', '/stream_routes/1?force=true'],
      status: 200,
    },
    {
      rule: 'is deleted',
      given: GIVEN,
      request: ['DELETE', '/stream_routes/1'],
      status: 200,
      answer: { deleted: '1', key: KEY },
    },
  ])
})

describe('a gateway without stream mode', () => {
  checkRows(
    (['GET', 'PUT', 'POST', 'PATCH', 'DELETE'] as const).map((method) => ({
      rule: `refuses ${method} of stream routes`,
      given: GIVEN,
      request: [method, '/stream_routes/1', ROUTE],
      status: 400,
      answer: OFF,
    })),
    { hasStreams: false },
  )
})
