import { connect } from 'node:net'
import type { TestContext } from 'node:test'
import { fakeUpstream, type ReceivedRequest } from '../../../src/testing/fake-upstream.ts'
import { type StartOptions, startGateway, type TestGateway } from '../../../src/testing/start-gateway.ts'

/** A gateway before a node that notes every request, head and length of the body, and answers `ok`. */
export interface Stage {
  readonly gateway: TestGateway
  /** What reached the node, in order; bodies are counted once they ended. */
  readonly received: readonly ReceivedRequest[]
  readonly bodyBytes: readonly number[]
  /** Sends bytes and reads until the gateway closes, or for as long as it keeps silent after its last word. */
  exchange(bytes: string): Promise<Exchanged>
}

export interface Exchanged {
  readonly text: string
  /** Of every response, interim ones too. */
  readonly statuses: readonly number[]
  readonly isClosed: boolean
}

const SILENCE_MS = 1000

export async function startStage(
  t: Pick<TestContext, 'after'>,
  settings: StartOptions['settings'] = {},
): Promise<Stage> {
  const bodyBytes: number[] = []
  const node = await fakeUpstream(t, (request, response) => {
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    request.on('end', () => {
      bodyBytes.push(bytes)
      response.end('ok')
    })
  })
  const gateway = await startGateway(
    t,
    {
      consumers: { jack: { username: 'jack', plugins: { 'key-auth': { key: 'jacks-key' } } } },
      routes: {
        all: { uri: '/*', upstream: { nodes: { [node.address]: 1 } } },
        locked: {
          uri: '/locked',
          plugins: { 'key-auth': {} },
          upstream: { nodes: { [node.address]: 1 } },
        },
      },
    },
    { settings },
  )
  return {
    gateway,
    received: node.requests,
    bodyBytes,
    exchange: (bytes) => exchange(gateway.proxyPort, bytes),
  }
}

function exchange(port: number, bytes: string): Promise<Exchanged> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    let silence: NodeJS.Timeout | undefined
    const done = (isClosed: boolean) => {
      clearTimeout(silence)
      socket.destroy()
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]))
      resolve({ text, statuses, isClosed })
    }
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => {
      text += chunk
      clearTimeout(silence)
      silence = setTimeout(() => done(false), SILENCE_MS)
    })
    socket.on('close', () => done(true)).on('error', () => done(true))
    socket.write(bytes, 'latin1')
  })
}
