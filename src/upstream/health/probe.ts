import net from 'node:net'
import tls from 'node:tls'
import { connectOptions } from '../../lib/socket-path.ts'
import type { Probe, ProbeOutcome, ProbeRequest } from './active.ts'

/** More than this without the end of a line is no status line. */
const LONGEST_STATUS_LINE = 8192

/**
 * Makes probes over real sockets: connects, for `https` with a handshake, sends a GET without a body and reads the status line
 * (contract §5.7). Each of the two parts has `timeoutMs`. The connection is discarded afterwards.
 */
export const probeOverSocket: Probe = (request, onDone) => {
  const attempt = new Attempt(request, onDone)
  return () => attempt.giveUp()
}

class Attempt {
  readonly #request: ProbeRequest
  readonly #socket: net.Socket
  #onDone: ((outcome: ProbeOutcome) => void) | undefined
  #timer: NodeJS.Timeout
  #received = ''

  constructor(request: ProbeRequest, onDone: (outcome: ProbeOutcome) => void) {
    this.#request = request
    this.#onDone = onDone
    const socket = connect(request)
    this.#socket = socket
    this.#timer = this.#watch('no connection')
    socket.on(request.spec.type === 'https' ? 'secureConnect' : 'connect', () => this.#onConnected())
    socket.on('data', (bytes: Buffer) => this.#onData(bytes))
    socket.on('end', () => this.#failed('http_failure', 'no status line before the end'))
    socket.on('error', (error) => this.#failed('tcp_failure', error.message))
    socket.on('close', () => this.#failed('tcp_failure', 'closed'))
  }

  giveUp(): void {
    this.#onDone = undefined
    clearTimeout(this.#timer)
    this.#socket.destroy()
  }

  #watch(what: string): NodeJS.Timeout {
    const { timeoutMs } = this.#request.spec
    return setTimeout(() => this.#failed('timeout_failure', `${what} within ${timeoutMs} ms`), timeoutMs)
  }

  #onConnected(): void {
    if (this.#request.spec.type === 'tcp') {
      this.#done({ kind: 'connected' })
      return
    }
    clearTimeout(this.#timer)
    this.#timer = this.#watch('no answer')
    this.#socket.write(writeProbe(this.#request), 'latin1')
  }

  #onData(bytes: Buffer): void {
    this.#received += bytes.toString('latin1')
    const end = this.#received.indexOf('\n')
    if (end === -1 && this.#received.length < LONGEST_STATUS_LINE) return
    const status = /^HTTP\/\d+\.\d+ +(\d{3})(?!\d)/.exec(this.#received)?.[1]
    if (status === undefined) this.#failed('http_failure', 'no valid status line')
    else this.#done({ kind: 'status', status: Number(status) })
  }

  #failed(kind: 'http_failure' | 'tcp_failure' | 'timeout_failure', message: string): void {
    this.#done({ kind, message })
  }

  #done(outcome: ProbeOutcome): void {
    const onDone = this.#onDone
    this.giveUp()
    onDone?.(outcome)
  }
}

function connect(request: ProbeRequest): net.Socket {
  if (request.spec.type !== 'https') return net.connect(connectOptions(request))
  try {
    return connectSecurely(request)
  } catch (error) {
    // Such as a client certificate that is gone: told as any other failure to connect, and not before this returns.
    return new net.Socket().destroy(error as Error)
  }
}

function connectSecurely({ hostHeader, spec, secureContext, ...place }: ProbeRequest): net.Socket {
  const serverName = withoutPort(hostHeader)
  return tls.connect({
    ...connectOptions(place),
    ...(net.isIP(serverName) === 0 && { servername: serverName }),
    ...(secureContext && { secureContext: secureContext() }),
    rejectUnauthorized: spec.verifiesCertificate,
    ALPNProtocols: ['http/1.1'],
  })
}

function withoutPort(host: string): string {
  return host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
}

function writeProbe({ spec, hostHeader }: ProbeRequest): string {
  const own = spec.headers.some((line) => /^host\s*:/i.test(line)) ? [] : [`Host: ${hostHeader}`]
  return `${[`GET ${spec.path} HTTP/1.1`, 'Connection: close', ...spec.headers, ...own].join('\r\n')}\r\n\r\n`
}
