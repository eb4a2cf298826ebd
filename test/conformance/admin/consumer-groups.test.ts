import { describe } from 'node:test'
import { checkRows, NOW } from './start-admin.ts'

const GROUP = { plugins: { 'test-limit': { count: 1 } }, name: 'gold', labels: { team: 'a' } }
const STORED = { ...GROUP, id: 'g1', create_time: 5, update_time: 6 }
const GIVEN = { 'consumer_groups/g1': STORED }
const KEY = '/apisix/consumer_groups/g1'
const IN_USE = [{ kind: 'consumers', id: 'jack', via: 'reference' }] as const

describe('a consumer group', () => {
  checkRows([
    {
      rule: 'is stored by PUT',
      request: ['PUT', '/consumer_groups/g1', GROUP],
      status: 201,
      answer: { key: KEY, value: { ...GROUP, id: 'g1', create_time: NOW, update_time: NOW } },
    },
    {
      rule: 'is not made by POST',
      request: ['POST', '/consumer_groups', GROUP],
      status: 405,
      answer: 'not supported `POST` method for consumer group',
    },
    {
      rule: 'needs an id',
      request: ['PUT', '/consumer_groups', GROUP],
      status: 400,
      answer: 'missing consumer group id',
    },
    {
      rule: 'has one id',
      request: ['PUT', '/consumer_groups/g1', { ...GROUP, id: 'g2' }],
      status: 400,
      answer: 'wrong consumer group id',
    },
    {
      rule: 'needs plugins',
      request: ['PUT', '/consumer_groups/g1', { name: 'gold' }],
      status: 400,
      answer: 'invalid configuration: property "plugins" is required',
    },
    {
      rule: 'has plugins that exist',
      request: ['PUT', '/consumer_groups/g1', { plugins: { nope: {} } }],
      status: 400,
      answer: 'unknown plugin [nope]',
    },
    {
      rule: 'is changed by PATCH',
      given: GIVEN,
      request: ['PATCH', '/consumer_groups/g1/plugins/test-limit/count', 2],
      status: 200,
      answer: {
        key: KEY,
        value: { ...STORED, plugins: { 'test-limit': { count: 2 } }, update_time: NOW },
      },
    },
    {
      rule: 'is checked after a PATCH',
      given: GIVEN,
      request: ['PATCH', '/consumer_groups/g1', { plugins: null }],
      status: 400,
      answer: 'invalid configuration: property "plugins" is required',
    },
    {
      rule: 'is shown',
      given: GIVEN,
      request: ['GET', '/consumer_groups/g1'],
      status: 200,
      answer: { key: KEY, value: STORED, createdIndex: 2, modifiedIndex: 2 },
    },
    {
      rule: 'is found by its label',
      given: GIVEN,
      request: ['GET', '/consumer_groups?label=team&name=gol'],
      status: 200,
      answer: { total: 1, list: [{ key: KEY, value: STORED, createdIndex: 2, modifiedIndex: 2 }] },
    },
    {
      rule: 'is not listed where there is none',
      request: ['GET', '/consumer_groups'],
      status: 200,
      answer: { total: 0, list: [] },
    },
    {
      rule: 'is not deleted while a consumer is in it',
      given: { ...GIVEN, 'consumers/jack': { username: 'jack', group_id: 'g1' } },
      dependents: IN_USE,
      request: ['DELETE', '/consumer_groups/g1'],
      status: 400,
      answer: 'can not delete this consumer group, consumer [jack] is still using it now',
    },
    {
      rule: 'is deleted by force all the same',
      given: { ...GIVEN, 'consumers/jack': { username: 'jack', group_id: 'g1' } },
      dependents: IN_USE,
      request: ['DELETE', '/consumer_groups/g1?force=true'],
      status: 200,
      answer: { deleted: '1', key: KEY },
    },
    {
      rule: 'is deleted once the consumer has left',
      given: { ...GIVEN, 'consumers/jack': { username: 'jack' } },
      dependents: IN_USE,
      request: ['DELETE', '/consumer_groups/g1'],
      status: 200,
    },
    {
      rule: 'is there before a consumer joins',
      request: ['PUT', '/consumers/jack', { username: 'jack', group_id: 'g1' }],
      status: 400,
      answer: 'failed to fetch consumer group info by consumer group id [g1], response code: 404',
    },
    {
      rule: 'is joined once it is there',
      given: GIVEN,
      request: ['PUT', '/consumers/jack', { username: 'jack', group_id: 'g1' }],
      status: 201,
    },
  ])
})
