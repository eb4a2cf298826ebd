import { reference } from './json-schema.ts'

const text = { type: 'string' }
const index = { type: 'integer', description: 'revision of the store' }

/** The shapes of answers that are no resource, by their name in `components.schemas`. */
export const ANSWER_SCHEMAS = {
  error: {
    description: 'Most refusals have `error_msg`; what is not there has `message`.',
    type: 'object',
    properties: { error_msg: text, message: text, description: text },
  },
  deleted: {
    type: 'object',
    properties: { deleted: { type: 'string', description: 'how many keys' }, key: text },
    required: ['deleted', 'key'],
  },
  'validation-failure': {
    type: 'object',
    properties: { error_msg: text, errors: { type: 'array', items: { type: 'object' } } },
    required: ['error_msg'],
  },
} as const

/** A resource as a write answers it. */
export function writtenOf(component: string): object {
  return {
    type: 'object',
    properties: { key: text, value: reference(component) },
    required: ['key', 'value'],
  }
}

/** A resource as a read answers it. */
export function storedOf(component: string): object {
  const { properties } = writtenOf(component) as { properties: object }
  return {
    type: 'object',
    properties: { ...properties, createdIndex: index, modifiedIndex: index },
    required: ['key', 'createdIndex', 'modifiedIndex'],
  }
}

/** All of a kind, or a page of them. */
export function listOf(component: string): object {
  return {
    type: 'object',
    properties: {
      total: { type: 'integer' },
      list: {
        description: 'An empty object stands past the last page.',
        anyOf: [
          { type: 'array', items: storedOf(component) },
          { type: 'object', maxProperties: 0 },
        ],
      },
    },
    required: ['total', 'list'],
  }
}

/** What a refusal of each status means, wherever it is met. */
export const REFUSALS: Readonly<Record<number, string>> = {
  400: 'The request, the document or what it refers to is not valid; the message names what and why.',
  401: 'No key, a wrong key, or a viewer that wants to write.',
  403: 'The address may not connect, or the key is limited to something else.',
  404: 'The resource, or the kind of resource, is not there.',
  405: 'The kind does not have this method, or the store is read-only.',
  412: 'The resource is not at the revision that `If-Match` or `If-None-Match` asks for. Nothing was written.',
  413: 'The body is too large.',
  422: 'With `wait=applied` or `wait=cluster`: stored, but it cannot be used, so the last good version goes on serving.',
  429: 'Too many wrong keys from this address; `Retry-After` says when to try again.',
  503: 'The store does not answer, or the value changed while it was being replaced. Try again.',
}
