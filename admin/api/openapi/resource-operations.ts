import { KIND_WORD, type Kind } from '../../../src/model/kind.ts'
import { RESOURCES, type Resource } from '../resources.ts'
import { listOf, storedOf, writtenOf } from './answers.ts'
import { reference } from './json-schema.ts'
import { ALWAYS, type Operation } from './operation.ts'
import type { ParameterName } from './parameters.ts'

/** Where a kind stands that does not stand under `/<kind>/{id}`. */
interface Place {
  readonly all: string
  readonly one: string
  /** Whether the id may stand in the body alone. */
  readonly takesIdInBody: boolean
}

const PLACES: Partial<Record<Kind, Place>> = {
  consumers: { all: '/consumers', one: '/consumers/{username}', takesIdInBody: true },
  credentials: {
    all: '/consumers/{username}/credentials',
    one: '/consumers/{username}/credentials/{id}',
    takesIdInBody: false,
  },
  plugin_metadata: { all: '/plugin_metadata', one: '/plugin_metadata/{name}', takesIdInBody: false },
  secrets: { all: '/secrets', one: '/secrets/{manager}/{id}', takesIdInBody: false },
}

const FILTERS: readonly ParameterName[] = ['page', 'page_size', 'name', 'label', 'uri']
const WRITE: readonly ParameterName[] = ['dry_run', 'wait', 'timeout', 'if_match', 'if_none_match']
const WRITE_REFUSALS = [...ALWAYS, 405, 412, 413, 422, 503]
const READ_REFUSALS = [...ALWAYS, 503]

/** The name of a kind's schema among the components. */
export function componentOf(kind: Kind): string {
  return KIND_WORD[kind].replaceAll(' ', '_')
}

/** The same for what answers show of it. */
export function shownComponentOf({ kind, hidden = [] }: Resource): string {
  return hidden.length === 0 ? componentOf(kind) : `${componentOf(kind)}.shown`
}

/** All operations on stored resources. */
export function resourceOperations(): Operation[] {
  return [...RESOURCES.values()].flatMap((resource) =>
    operationsOf(resource).filter(({ method }) => !resource.forbids.includes(method.toUpperCase())),
  )
}

function operationsOf(resource: Resource): Operation[] {
  const { kind, word, forbids } = resource
  const place = PLACES[kind] ?? { all: `/${kind}`, one: `/${kind}/{id}`, takesIdInBody: true }
  const shown = shownComponentOf(resource)
  const group = kind
  const body = { 'application/json': reference(componentOf(kind)) }
  const written = writtenOf(shown)
  const put = {
    method: 'put' as const,
    group,
    parameters: [...WRITE, 'ttl' as const],
    body,
    answers: { 200: written, 201: written, 202: written },
    refusals: WRITE_REFUSALS,
  }
  return [
    {
      method: 'get',
      path: place.all,
      group,
      summary: `List: ${word}`,
      parameters: kind === 'routes' ? [...FILTERS, 'filter'] : FILTERS,
      answers: { 200: listOf(shown) },
      refusals: READ_REFUSALS,
    },
    ...(forbids.includes('POST') ? [] : [{ ...put, ...post(place.all, word, written) }]),
    ...(place.takesIdInBody
      ? [{ ...put, path: place.all, summary: `Create or replace by the id of the body: ${word}` }]
      : []),
    {
      method: 'get',
      path: place.one,
      group,
      summary: `Show: ${word}`,
      parameters: [],
      answers: { 200: storedOf(shown) },
      refusals: READ_REFUSALS,
    },
    { ...put, path: place.one, summary: `Create or replace: ${word}` },
    ...changes(place.one, { put, word, written }),
    remove(place.one, { group, word }),
  ]
}

function post(path: string, word: string, written: object) {
  return {
    method: 'post' as const,
    parameters: ['dry_run', 'wait', 'timeout', 'ttl'] as const,
    path,
    summary: `Create under a new id: ${word}`,
    answers: { 201: written, 202: written },
  }
}

type Put = Omit<Operation, 'path' | 'summary'>

function changes(
  path: string,
  { put, word, written }: { put: Put; word: string; written: object },
): Operation[] {
  const patch = { ...put, method: 'patch' as const, answers: { 200: written, 202: written } }
  const anything = { 'application/json': { description: 'The new value, of any type.' } }
  return [
    {
      ...patch,
      path,
      summary: `Change some members, null removes one: ${word}`,
      body: { 'application/json': { type: 'object' } },
    },
    { ...patch, path: `${path}/{path}`, summary: `Set one member: ${word}`, body: anything },
  ]
}

function remove(path: string, { group, word }: { group: string; word: string }): Operation {
  return {
    method: 'delete',
    path,
    group,
    summary: `Delete: ${word}`,
    parameters: ['force', ...WRITE],
    answers: { 200: reference('deleted'), 202: reference('deleted') },
    refusals: WRITE_REFUSALS,
  }
}
