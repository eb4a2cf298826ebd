import { parseProto, type StoredProto } from '../../src/plugin/api.ts'

type Root = ReturnType<typeof parseProto>
export type MessageType = ReturnType<Root['lookupType']>

/** A method of a service and the types of its messages. */
export interface Call {
  readonly root: Root
  readonly path: string
  readonly request: MessageType
  readonly response: MessageType
}

/** Finds a method in a proto. Throws an Error that says what is missing. */
export function findCall({ content }: StoredProto, service: string, method: string): Call {
  const root = parseProto(content)
  const found = root.lookupService(service)
  const called = found.methods[method]
  if (!called) throw new Error(`service ${service} has no method ${method}`)
  if (called.requestStream || called.responseStream) throw new Error(`method ${method} streams`)
  called.resolve()
  const { resolvedRequestType: request, resolvedResponseType: response } = called
  if (!request || !response) throw new Error(`the types of method ${method} are not there`)
  return { root, path: `/${found.fullName.slice(1)}/${method}`, request, response }
}
