import type { Etcd3, IResponseHeader, IResponseOp, ITxnRequest } from 'etcd3'
import type { Clock } from '../../lib/clock.ts'
import { LeaseLostError, StoreUnavailableError } from '../config-store.ts'
import { isLeaseNotFound, leaseLost, unavailable } from './etcd-errors.ts'

/** etcd's options for one call. */
export interface CallLimit {
  /** Milliseconds since the epoch. */
  readonly deadline: number
}

export interface EtcdCallsOptions {
  readonly client: Etcd3
  readonly endpoint: string
  readonly clock: Clock
  readonly timeoutMs: number
}

/** Calls that end within their time, and fail with a {@link StoreUnavailableError} that names etcd and the reason. */
export class EtcdCalls {
  readonly #options: EtcdCallsOptions
  #isClosed = false

  constructor(options: EtcdCallsOptions) {
    this.#options = options
  }

  /**
   * `act` completes "etcd could not …". A lease that etcd does not know becomes a {@link LeaseLostError}. `longestMs` shortens the time
   * for a call that another one can replace.
   */
  async run<T>(
    act: string,
    call: (limit: CallLimit) => Promise<T>,
    longestMs = Number.POSITIVE_INFINITY,
  ): Promise<T> {
    this.checkOpen()
    const { clock, endpoint } = this.#options
    const timeoutMs = Math.min(longestMs, this.#options.timeoutMs)
    let cancelTimer = () => {}
    // Neither the login nor the choice of a host is under the deadline of the call itself.
    const timeout = new Promise<never>((_, reject) => {
      cancelTimer = clock.schedule(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs} ms`)))
    })
    try {
      return await Promise.race([call({ deadline: Date.now() + timeoutMs }), timeout])
    } catch (error) {
      if (error instanceof LeaseLostError) throw error
      if (isLeaseNotFound(error)) throw leaseLost()
      this.checkOpen()
      throw unavailable(endpoint, act, error)
    } finally {
      cancelTimer()
    }
  }

  /** One operation, done only if the key is at this mod revision (0: absent); undefined when it is not. */
  async runIfAt(act: string, request: ConditionalRequest): Promise<ConditionalResult | undefined> {
    const { key, expectedRevision, operation } = request
    const compare = { key, result: EQUAL, target: MOD, mod_revision: String(expectedRevision) }
    const transaction: ITxnRequest = { compare: [compare], success: [operation] }
    const answer = await this.run(act, (limit) => this.#options.client.kv.txn(transaction, limit))
    const [response] = answer.responses
    return answer.succeeded && response ? { header: answer.header, response } : undefined
  }

  checkOpen(): void {
    if (this.#isClosed) throw new StoreUnavailableError('the etcd store is closed')
  }

  /** Lets calls under way fail as closed. */
  close(): void {
    this.#isClosed = true
  }
}

/** Numbers of `Compare.CompareResult.EQUAL` and `Compare.CompareTarget.MOD` in etcd's protocol. */
const EQUAL = 0
const MOD = 2

export interface ConditionalRequest {
  readonly key: Buffer
  readonly expectedRevision: number
  readonly operation: NonNullable<ITxnRequest['success']>[number]
}

export interface ConditionalResult {
  readonly header: IResponseHeader
  readonly response: IResponseOp
}
