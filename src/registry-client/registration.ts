import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { GatewayCalls, RegistrationError } from './gateway-calls.ts'

export interface NodeOptions {
  /** Default: the name of the host and eight random digits. */
  readonly node_id?: string
  /** `http://host:port` as gateways reach it, or `unix:/path` on the machine of the gateway. */
  readonly endpoint: string
  readonly protocol?: 'http' | 'https' | 'grpc' | 'grpcs' | 'ws'
  readonly zone?: string
  readonly version?: string
  readonly capacity?: number
  readonly labels?: Readonly<Record<string, string>>
  /** Seconds that it lives without a heartbeat. */
  readonly ttl_s?: number
}

export interface AgentOptions {
  readonly type: string
  readonly key: string
  readonly endpoint?: string
  readonly weight?: number
  readonly priority?: number
  readonly capabilities?: readonly string[]
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly version?: string
}

/** What a heartbeat tells of the load; see docs/reference/registry.md. */
export type Figures = Readonly<
  Partial<
    Record<
      | 'cpu_usage'
      | 'memory_usage'
      | 'messages_processed'
      | 'messages_failed'
      | 'average_processing_time'
      | 'active_connections',
      number
    >
  >
>

export type RegistrationState = 'stopped' | 'registered' | 'lost'

export interface RegistrationOptions {
  readonly gateways: readonly string[]
  readonly key?: string
  readonly node: NodeOptions
  readonly agents?: readonly AgentOptions[]
  /** Asked before each heartbeat. */
  readonly metrics?: () => Figures
  /** Longest wait for one answer in ms. Default 5,000. */
  readonly timeoutMs?: number
  /** Told when the registration is lost or is there again, and why. Must not throw. */
  readonly onState?: (state: RegistrationState, cause?: Error) => void
}

export interface Registration {
  readonly nodeId: string
  readonly state: RegistrationState
  /**
   * Registers the node and its agents, takes out those that a process before it had there, and goes on sending heartbeats until
   * {@link stop}. Rejects with a {@link RegistrationError}, and has
   * nothing registered, when the registry refuses; a registry that does not answer is tried again for ever, without a rejection.
   */
  start(): Promise<void>
  /** Takes the node out, with what is under way at it given `drainSeconds` to end. What cannot be said goes with the lease. */
  stop(options?: { readonly drainSeconds?: number }): Promise<void>
}

interface BeatAnswer {
  /** Named by the heartbeat, and not registered at this node: lost. */
  readonly unknown_agents: readonly string[]
  /** Registered at this node, and not named. */
  readonly missing_agents?: readonly string[]
}

const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 15_000

/** Builds it; nothing is sent before `start`. */
export function createRegistration(options: RegistrationOptions): Registration {
  return new NodeRegistration(options)
}

class NodeRegistration implements Registration {
  readonly nodeId: string
  readonly #options: RegistrationOptions
  readonly #calls: GatewayCalls
  #state: RegistrationState = 'stopped'
  #isRunning = false
  #timer: NodeJS.Timeout | undefined
  #turn: Promise<void> = Promise.resolve()
  #failures = 0
  #intervalMs = 5000

  constructor(options: RegistrationOptions) {
    this.#options = options
    this.nodeId = options.node.node_id ?? `${hostname()}_${randomBytes(4).toString('hex')}`
    const { gateways, key, timeoutMs = 5000 } = options
    this.#calls = new GatewayCalls({ gateways, key, timeoutMs })
  }

  get state(): RegistrationState {
    return this.#state
  }

  async start(): Promise<void> {
    if (this.#isRunning) return
    this.#isRunning = true
    const first = this.#first()
    // Who stops meanwhile has to take out what this puts in.
    this.#turn = first.catch(() => undefined)
    await first
  }

  async #first(): Promise<void> {
    try {
      await this.#register()
      this.#next(this.#intervalMs)
    } catch (error) {
      if (isRefusal(error)) {
        this.#isRunning = false
        throw error
      }
      this.#retry(error as Error)
    }
  }

  async stop({ drainSeconds = 0 }: { readonly drainSeconds?: number } = {}): Promise<void> {
    if (!this.#isRunning) return
    this.#isRunning = false
    clearTimeout(this.#timer)
    await this.#turn
    await this.#remove(drainSeconds)
    this.#tell('stopped')
  }

  async #register(): Promise<void> {
    const { node, agents = [] } = this.#options
    const { node_id: _id, ...claim } = node
    const answer = await this.#calls.ask<{ heartbeat_interval_ms: number }>({
      method: 'PUT',
      path: `nodes/${encodeURIComponent(this.nodeId)}`,
      body: claim,
    })
    this.#intervalMs = answer.heartbeat_interval_ms
    try {
      let heardAtMs = performance.now()
      for (const agent of agents) {
        if (!this.#isRunning) return
        await this.#registerAgent(agent)
        if (performance.now() - heardAtMs < this.#intervalMs) continue
        // The node has to outlive a registration that takes longer than its lease.
        await this.#sendBeat({})
        heardAtMs = performance.now()
      }
      const { missing_agents = [] } = await this.#beat()
      await this.#removeAgents(missing_agents)
    } catch (error) {
      // A node of which an agent is somebody else's is not what was asked for: all of it or nothing.
      if (isRefusal(error)) await this.#remove(0)
      throw error
    }
  }

  async #registerAgent({ type, key, ...claim }: AgentOptions): Promise<void> {
    await this.#calls.ask({
      method: 'PUT',
      path: `agents/${encodeURIComponent(type)}/${encodeURIComponent(key)}`,
      body: { node_id: this.nodeId, ...claim },
    })
  }

  /** Of a process before, of the same node: with its lease, which lives on, they would too. */
  async #removeAgents(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const path = `agents/${id.split('/').map(encodeURIComponent).join('/')}?node_id=${encodeURIComponent(this.nodeId)}`
      try {
        await this.#calls.ask({ method: 'DELETE', path })
      } catch (error) {
        // Somebody else has it by now.
        if (!isRefusal(error)) throw error
      }
    }
  }

  async #beat(): Promise<BeatAnswer> {
    const { metrics, agents = [] } = this.#options
    const answer = await this.#sendBeat({
      timestamp: new Date().toISOString(),
      status: 'running',
      ...(metrics && { metrics: metrics() }),
      agents: agents.map(({ type, key }) => `${type}/${key}`),
    })
    for (const agent of agents) {
      if (answer.unknown_agents.includes(`${agent.type}/${agent.key}`)) await this.#registerAgent(agent)
    }
    this.#failures = 0
    this.#tell('registered')
    return answer
  }

  #sendBeat(body: object): Promise<BeatAnswer> {
    const path = `nodes/${encodeURIComponent(this.nodeId)}/heartbeat`
    return this.#calls.ask({ method: 'PUT', path, body })
  }

  #next(delayMs: number): void {
    if (!this.#isRunning) return
    this.#timer = setTimeout(() => {
      this.#turn = this.#run()
    }, delayMs)
    // A registration alone is no reason for a process to live.
    this.#timer.unref()
  }

  async #run(): Promise<void> {
    try {
      await this.#beatOrRegister()
      this.#next(this.#intervalMs)
    } catch (error) {
      this.#retry(error as Error)
    }
  }

  async #beatOrRegister(): Promise<void> {
    try {
      await this.#beat()
    } catch (error) {
      if (!isNodeLost(error)) throw error
      this.#tell('lost', error)
      await this.#register()
    }
  }

  #retry(cause: Error): void {
    this.#tell('lost', cause)
    const boundMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, LONGEST_RETRY_MS)
    this.#failures++
    // Nodes that lost the same gateway must not come back all at once.
    this.#next(Math.min(boundMs * (0.5 + Math.random()), this.#intervalMs))
  }

  async #remove(drainSeconds: number): Promise<void> {
    try {
      const path = `nodes/${encodeURIComponent(this.nodeId)}?drain_s=${drainSeconds}`
      await this.#calls.ask({ method: 'DELETE', path })
    } catch (error) {
      // Its lease takes it out; whoever wants to know is told.
      const isGone = isRefusal(error) || isNodeLost(error)
      if (!isGone) this.#options.onState?.(this.#state, error as Error)
    }
  }

  #tell(state: RegistrationState, cause?: Error): void {
    if (this.#state === state) return
    this.#state = state
    if (cause) this.#options.onState?.(state, cause)
    else this.#options.onState?.(state)
  }
}

function isNodeLost(error: unknown): error is RegistrationError {
  return error instanceof RegistrationError && error.code === 'NODE_NOT_FOUND'
}

/** What asking again would not change. A node that was lost registers anew, and too many requests are fewer later. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof RegistrationError && error.status < 500 && error.status !== 429 && !isNodeLost(error)
  )
}
