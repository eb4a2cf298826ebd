import type { Server as NetServer, Socket } from 'node:net'
import { createServer, type TLSSocket, type Server as TlsServer } from 'node:tls'
import type { Logger } from '../../observe/logger.ts'
import type { CertificateIndex } from '../../snapshot/certificate-index.ts'
import type { ServerCertificate } from '../../snapshot/server-certificate.ts'
import type { LeaveObserver } from '../leave.ts'
import { endWith } from '../refuse-connection.ts'
import { type FirstBytes, readClientHello } from './client-hello.ts'
import { type HandshakeFailure, type HandshakeObserver, handshakeFailureOf } from './handshake-failure.ts'
import { PendingHandshakes } from './pending-handshakes.ts'
import { markSecure, SecureConnection } from './secure-connection.ts'
import { serverOptions, type TlsDefaults } from './server-options.ts'

export interface TlsTermination {
  readonly defaults: TlsDefaults
  /** Assumed when a client asks for no name; canonical. */
  readonly fallbackServerName: string | undefined
  /** Those in force now. */
  certificates(): CertificateIndex
  readonly logger: Logger
  readonly onRefused: HandshakeObserver
  /** Told of connections that end because their certificate is another one by now. */
  readonly onLeave: LeaveObserver
  /** How long a client may take to say hello, and then once more for its handshake; 10 s when absent. */
  readonly handshakeTimeoutMs?: number
}

const HANDSHAKE_TIMEOUT_MS = 10_000

const UNRECOGNIZED_NAME = 112
const HANDSHAKE_FAILURE = 40

/**
 * Takes the handshakes of a server that speaks HTTP over TLS (`node:https`, or `node:http2` with `allowHTTP1`) into its own hands; call
 * it before anything listens to the server's connections. The name is read from the client's first bytes and the connection handed to a
 * TLS server of that name's certificate: OpenSSL has chosen a version by the time it asks for a certificate by name, requests client
 * certificates per server and resumes sessions over all names of one. Returns the connections that are not through with it.
 */
export function terminateTls(server: NetServer, termination: TlsTermination): PendingHandshakes {
  const handshakes = new Handshakes(server, termination)
  server.removeAllListeners('connection')
  server.on('connection', (socket) => {
    handshakes.pending.add(socket)
    new Arrival(socket, handshakes)
  })
  return handshakes.pending
}

/** A connection until its client has said hello. */
class Arrival {
  readonly #socket: Socket
  readonly #handshakes: Handshakes
  readonly #timer: NodeJS.Timeout
  #bytes: Buffer = Buffer.alloc(0)

  constructor(socket: Socket, handshakes: Handshakes) {
    this.#socket = socket
    this.#handshakes = handshakes
    this.#timer = setTimeout(this.#giveUp, handshakes.timeoutMs).unref()
    socket.on('error', () => socket.destroy())
    socket.on('close', this.#onClose)
    socket.on('data', this.#onData)
  }

  #giveUp = (): void => {
    this.#forget()
    this.#handshakes.note('timeout', { peer: this.#socket.remoteAddress })
    this.#socket.destroy()
  }

  #onClose = (): void => {
    this.#forget()
    // Without a word it was one that looks whether the port is open.
    if (this.#bytes.length > 0) this.#handshakes.note('client-left', { peer: this.#socket.remoteAddress })
  }

  #onData = (chunk: Buffer): void => {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    const first = readClientHello(this.#bytes)
    if (first.kind === 'incomplete') return
    this.#forget()
    this.#socket.pause()
    if (first.kind === 'hello') this.#socket.unshift(this.#bytes)
    this.#handshakes.take(this.#socket, first)
  }

  #forget = (): void => {
    clearTimeout(this.#timer)
    this.#socket.off('data', this.#onData)
    this.#socket.off('close', this.#onClose)
  }
}

/** The TLS servers behind one listener, one for each certificate that was asked for; they never listen themselves. */
class Handshakes {
  readonly pending = new PendingHandshakes()
  readonly #server: NetServer
  readonly #termination: TlsTermination
  readonly #byCertificate = new WeakMap<ServerCertificate, TlsServer>()

  constructor(server: NetServer, termination: TlsTermination) {
    this.#server = server
    this.#termination = termination
  }

  get timeoutMs(): number {
    return this.#termination.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS
  }

  take(socket: Socket, first: FirstBytes): void {
    if (first.kind === 'hello') {
      this.#begin(socket, first.serverName)
      return
    }
    this.note('not-tls', { peer: socket.remoteAddress })
    if (first.kind === 'plain') endWith(socket, 400)
    else socket.destroy()
  }

  #begin(socket: Socket, askedName: string | undefined): void {
    const { fallbackServerName, certificates } = this.#termination
    const serverName = askedName === undefined ? fallbackServerName : canonical(askedName)
    const certificate = serverName === undefined ? undefined : certificates().find(serverName)
    const facts = { peer: socket.remoteAddress, serverName }
    if (!certificate) {
      this.note('unknown-name', facts)
      refuse(socket, UNRECOGNIZED_NAME)
    } else if (certificate.refusal) {
      this.note('unusable-ssl', { ...facts, detail: certificate.refusal })
      refuse(socket, HANDSHAKE_FAILURE)
    } else this.#serverOf(certificate).emit('connection', socket)
  }

  #serverOf(certificate: ServerCertificate): TlsServer {
    let server = this.#byCertificate.get(certificate)
    if (!server) {
      server = createServer({
        ...serverOptions(certificate, this.#termination.defaults),
        handshakeTimeout: this.timeoutMs,
      })
      server.on('secureConnection', (socket) => this.#admit(socket, certificate))
      server.on('tlsClientError', (error, socket) => {
        const facts = { peer: socket.remoteAddress, ssl: certificate.id, detail: error.message }
        this.note(handshakeFailureOf(error, socket), facts)
        socket.destroy()
      })
      this.#byCertificate.set(certificate, server)
    }
    return server
  }

  /** The handshake is over; nothing of what the client says has been read. */
  #admit(socket: TLSSocket, certificate: ServerCertificate): void {
    this.pending.delete(socket)
    const { servername } = socket
    const name = servername ? canonical(servername) : this.#termination.fallbackServerName!
    const { onLeave } = this.#termination
    const connection = new SecureConnection(socket, { serverName: name, certificate, onLeave })
    const { clientCheck } = certificate
    // OpenSSL checks the chain up to any length; and the name that it read must be the one that was acted upon.
    const isProven = !clientCheck || clientCheck.hasFreePaths || connection.hasProvenClient
    if (!isProven || !serves(certificate, name)) {
      this.note('client-certificate', { peer: socket.remoteAddress, ssl: certificate.id })
      socket.destroy()
      return
    }
    markSecure(socket, connection)
    this.#server.emit('secureConnection', socket)
  }

  /** Tells of a handshake that came to nothing. */
  note(reason: HandshakeFailure, facts: Readonly<Record<string, unknown>>): void {
    this.#termination.logger.info({ ...facts, reason }, 'a TLS handshake was refused')
    this.#termination.onRefused(reason)
  }
}

function refuse(socket: Socket, alert: number): void {
  socket.write(Buffer.from([21, 3, 1, 0, 2, 2, alert]))
  socket.destroySoon()
}

function serves({ names }: ServerCertificate, name: string): boolean {
  return names.some(
    (one) => one === '*' || one === name || (one.startsWith('*.') && one.slice(1) === tail(name)),
  )
}

function tail(name: string): string | undefined {
  const dot = name.indexOf('.')
  return dot === -1 ? undefined : name.slice(dot)
}

function canonical(name: string): string {
  return (name.endsWith('.') ? name.slice(0, -1) : name).toLowerCase()
}
