import type { ErrorCode } from '../../../src/registry/registry-error.ts'
import type { RegistryAnswerName } from './answers.ts'
import { agentSchema, heartbeatSchema, nodeSchema, selectSchema } from './schemas.ts'

/** One call of the registry, as it is described to who calls it. */
export interface RegistryOperation {
  readonly method: 'get' | 'put' | 'post' | 'delete'
  /** Below the registry's root. */
  readonly path: string
  readonly summary: string
  /** Parameters of the query and what they mean. */
  readonly query?: Readonly<Record<string, string>>
  readonly body?: object
  /** By status; `undefined` for one without a body. */
  readonly answers: Readonly<Record<number, RegistryAnswerName | undefined>>
  /** Beside those that any call may have. */
  readonly errors: readonly ErrorCode[]
}

const WRITE: readonly ErrorCode[] = ['REGISTRY_UNAVAILABLE']
const AGENT_CLAIM = {
  query: { takeover: '`true` moves the agent from another node of the same `metadata.instance_group`.' },
  body: agentSchema,
  answers: { 200: 'registry.agent-registered', 201: 'registry.agent-registered' },
  errors: ['INVALID_AGENT_ID', 'NODE_NOT_FOUND', 'AGENT_ID_CONFLICT', ...WRITE],
} as const satisfies Partial<RegistryOperation>

/** Every call of the registry. A test holds them equal to what is answered. */
export const REGISTRY_OPERATIONS: readonly RegistryOperation[] = [
  {
    method: 'get',
    path: '/nodes',
    summary: 'All nodes',
    answers: { 200: 'registry.nodes' },
    errors: [],
  },
  {
    method: 'get',
    path: '/nodes/{node_id}',
    summary: 'A node with its agents, figures and status',
    answers: { 200: 'registry.node' },
    errors: ['NODE_NOT_FOUND'],
  },
  {
    method: 'put',
    path: '/nodes/{node_id}',
    summary: 'Register a node, or the same one again',
    body: nodeSchema,
    answers: { 200: 'registry.node-registered', 201: 'registry.node-registered' },
    errors: ['NODE_ID_CONFLICT', ...WRITE],
  },
  {
    method: 'delete',
    path: '/nodes/{node_id}',
    summary: 'Take a node out with all of its agents, at once or after a drain',
    query: { drain_s: 'Seconds in which what is under way may end; 0, the default, for none.' },
    answers: { 202: 'registry.draining', 204: undefined },
    errors: ['NODE_NOT_FOUND', ...WRITE],
  },
  {
    method: 'put',
    path: '/nodes/{node_id}/heartbeat',
    summary: 'Renew the lease of a node, and tell how it does',
    body: heartbeatSchema,
    answers: { 200: 'registry.heartbeat' },
    errors: ['NODE_NOT_FOUND', ...WRITE],
  },
  {
    method: 'get',
    path: '/agents',
    summary: 'Agents by what is known of them, page by page; all filters have to fit',
    query: {
      type: 'Of this type.',
      node: 'Of this node.',
      capability: 'With this capability; may stand more than once.',
      status: '`online`, `unhealthy`, `draining` or `initializing`.',
      'label.NAME': 'Whose metadata, or whose node, has the label with this value.',
      limit: 'How many, 1 to 1,000; 100 by default.',
      cursor: 'Where the page before ended.',
    },
    answers: { 200: 'registry.agents' },
    errors: [],
  },
  {
    ...AGENT_CLAIM,
    method: 'post',
    path: '/agents/{type}',
    summary: 'Register an agent under a key that is made for it',
  },
  {
    method: 'get',
    path: '/agents/{type}/{key}',
    summary: 'An agent',
    answers: { 200: 'registry.agent' },
    errors: ['INVALID_AGENT_ID', 'AGENT_NOT_FOUND'],
  },
  {
    ...AGENT_CLAIM,
    method: 'put',
    path: '/agents/{type}/{key}',
    summary: 'Register an agent, or the same one again',
  },
  {
    method: 'delete',
    path: '/agents/{type}/{key}',
    summary: 'Remove an agent; one that is not there is no error',
    query: { node_id: 'Only when it is this node that has it.' },
    answers: { 204: undefined },
    errors: ['INVALID_AGENT_ID', 'AGENT_ID_CONFLICT', ...WRITE],
  },
  {
    method: 'post',
    path: '/select/{type}',
    summary: 'Which agent a request would go to',
    body: selectSchema,
    answers: { 200: 'registry.selected' },
    errors: ['INVALID_AGENT_ID', 'AGENT_NOT_FOUND', 'NO_HEALTHY_NODE'],
  },
]
