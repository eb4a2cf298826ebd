import { createRequire } from 'node:module'
import type protobuf from 'protobufjs'

const require = createRequire(import.meta.url)

/**
 * Reads the `content` of a proto resource: the text of a .proto file, or a FileDescriptorSet in base64 (contract §3.6). Throws an
 * Error whose message starts with `invalid content: ` (contract §1.6). The caller owns the result.
 */
export function parseProto(content: string): protobuf.Root {
  const root = readDescriptorSet(content) ?? readText(content)
  try {
    root.resolveAll()
    return root
  } catch (error) {
    throw new Error(`invalid content: ${(error as Error).message}`)
  }
}

// Loaded when the first proto is read: few gateways have one, and all would pay for it at start.
function library(): typeof protobuf {
  return require('protobufjs') as typeof protobuf
}

function readText(content: string): protobuf.Root {
  try {
    return library().parse(content, { keepCase: true }).root
  } catch (error) {
    throw new Error(`invalid content: ${(error as Error).message}`)
  }
}

const BASE64 = /^[A-Za-z0-9+/\s]+={0,2}\s*$/

function readDescriptorSet(content: string): protobuf.Root | undefined {
  if (!BASE64.test(content)) return undefined
  // The extension adds what reads descriptors to the library's own classes.
  const { FileDescriptorSet } = require('protobufjs/ext/descriptor') as {
    FileDescriptorSet: protobuf.Type
  }
  const { Root } = library() as unknown as { Root: { fromDescriptor(set: unknown): protobuf.Root } }
  try {
    return Root.fromDescriptor(FileDescriptorSet.decode(Buffer.from(content, 'base64')))
  } catch (error) {
    throw new Error(`invalid content: ${(error as Error).message}`)
  }
}
