import type { TestContext } from 'node:test'
import * as grpc from '@grpc/grpc-js'

const asIs = (value: Buffer): Buffer => value

function method(name: string, requestStream: boolean, responseStream: boolean) {
  return {
    path: `/echo.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  }
}

/** A service with one method of each kind, over bytes. */
export const ECHO = {
  unary: method('unary', false, false),
  collect: method('collect', true, false),
  repeat: method('repeat', false, true),
  talk: method('talk', true, true),
} as const satisfies grpc.ServiceDefinition

export interface GrpcNode {
  readonly address: string
  readonly server: grpc.Server
}

/** Starts a gRPC server on a free port, stopped when the test ends. */
export async function grpcNode(
  t: Pick<TestContext, 'after'>,
  handlers: grpc.UntypedServiceImplementation,
  credentials: grpc.ServerCredentials = grpc.ServerCredentials.createInsecure(),
): Promise<GrpcNode> {
  const server = new grpc.Server()
  server.addService(ECHO, handlers)
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound)))
  })
  t.after(() => server.forceShutdown())
  return { address: `127.0.0.1:${port}`, server }
}

/** How a call ended. */
export interface GrpcOutcome {
  readonly code: grpc.status
  readonly details: string
  readonly metadata: grpc.Metadata
  readonly messages: readonly string[]
}

/** A client of one address, closed when the test ends. */
export function grpcClient(
  t: Pick<TestContext, 'after'>,
  address: string,
  credentials: grpc.ChannelCredentials = grpc.credentials.createInsecure(),
): grpc.Client {
  const client = new grpc.Client(address, credentials, { 'grpc.enable_retries': 0 })
  t.after(() => client.close())
  return client
}

/** Makes a call of one message, whatever comes back. */
export function callUnary(
  client: grpc.Client,
  message: string,
  { metadata = new grpc.Metadata(), ...options }: grpc.CallOptions & { metadata?: grpc.Metadata } = {},
): Promise<GrpcOutcome> {
  return new Promise((resolve) => {
    const messages: string[] = []
    const call = client.makeUnaryRequest(
      ECHO.unary.path,
      asIs,
      asIs,
      Buffer.from(message),
      metadata,
      options,
      (_error, answer) => answer && messages.push(answer.toString()),
    )
    call.on('status', (status) => resolve({ ...status, messages }))
  })
}

/** Opens a call that streams both ways; `outcome` resolves when it has ended. */
export function openTalk(
  client: grpc.Client,
  options: grpc.CallOptions = {},
): { call: grpc.ClientDuplexStream<Buffer, Buffer>; messages: string[]; outcome: Promise<GrpcOutcome> } {
  const call = client.makeBidiStreamRequest<Buffer, Buffer>(
    ECHO.talk.path,
    asIs,
    asIs,
    new grpc.Metadata(),
    options,
  )
  const messages: string[] = []
  call.on('data', (message) => messages.push(message.toString()))
  // The status says it all.
  call.on('error', () => {})
  const outcome = new Promise<GrpcOutcome>((resolve) => {
    call.on('status', (status) => resolve({ ...status, messages }))
  })
  return { call, messages, outcome }
}
