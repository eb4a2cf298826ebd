import {
  castGrpcError,
  type Etcd3,
  GRPCUnavailableError,
  type IDuplexStream,
  type ILeaseKeepAliveRequest,
  type ILeaseKeepAliveResponse,
  isRecoverableError,
} from 'etcd3'
import type { Lease } from '../config-store.ts'
import type { SharedLease } from '../transactions.ts'
import type { EtcdCalls } from './etcd-calls.ts'
import { leaseLost } from './etcd-errors.ts'

/** Grants a lease. Renewing it is the caller's: etcd3's own lease renews without back-off when etcd is down. */
export async function grantEtcdLease(client: Etcd3, calls: EtcdCalls, ttlSeconds: number): Promise<Lease> {
  const TTL = String(Math.ceil(ttlSeconds))
  const { ID: id } = await calls.run('grant a lease', (limit) =>
    client.leaseClient.leaseGrant({ TTL, ID: '0' }, limit),
  )
  return openEtcdLease(client, calls, id)
}

/** A lease that someone granted. */
export function openEtcdLease(client: Etcd3, calls: EtcdCalls, id: string): SharedLease {
  return {
    id,
    keepAlive: () => calls.run('renew a lease', (limit) => renew(client, id, limit.deadline)),
    async revoke() {
      await calls.run('revoke a lease', (limit) => client.leaseClient.leaseRevoke({ ID: id }, limit))
    },
    async remainingSeconds() {
      const { TTL } = await calls.run('read a lease', (limit) =>
        client.leaseClient.leaseTimeToLive({ ID: id, keys: false }, limit),
      )
      // etcd answers −1 for a lease that it does not know.
      if (Number(TTL) < 0) throw leaseLost()
      return Number(TTL)
    },
  }
}

/** As often a renewal is tried; it may be repeated, whether or not it arrived. */
const ATTEMPTS = 3
/** How long a host may take for it while there is another attempt. */
const PATIENCE_MS = 1000

async function renew(client: Etcd3, id: string, deadline: number): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const leftMs = deadline - Date.now()
    const isLast = attempt === ATTEMPTS || leftMs <= PATIENCE_MS
    try {
      const { TTL } = await renewOnce(client, id, isLast ? leftMs : PATIENCE_MS)
      if (Number(TTL) <= 0) throw leaseLost()
      return
    } catch (error) {
      if (isLast || !(error instanceof Error) || !isRecoverableError(error)) throw error
    }
  }
}

interface Connection {
  readonly client: { leaseKeepAlive(metadata: unknown): KeepAliveStream }
  readonly metadata: unknown
}

interface ClientInside {
  readonly pool: {
    withConnection<T>(service: 'Lease', act: (connection: Connection) => Promise<T>): Promise<T>
  }
}

/**
 * Asks one host, and lets its policy know how that ended: etcd3's own call is over as soon as its stream is open, which a host that is
 * gone lets happen too.
 */
function renewOnce(client: Etcd3, id: string, longestMs: number): Promise<ILeaseKeepAliveResponse> {
  return (client as unknown as ClientInside).pool.withConnection('Lease', async (connection) => {
    const stream = connection.client.leaseKeepAlive(connection.metadata)
    try {
      return await askOnce(stream, id, longestMs)
    } finally {
      stream.end()
      stream.cancel()
    }
  })
}

type KeepAliveStream = IDuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>

async function askOnce(
  stream: KeepAliveStream,
  id: string,
  longestMs: number,
): Promise<ILeaseKeepAliveResponse> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise((resolve, reject) => {
      stream.on('data', resolve)
      stream.on('error', (error: Error) => reject(castGrpcError(error)))
      stream.on('end', () => reject(new Error('the server ended the stream')))
      stream.write({ ID: id })
      timer = setTimeout(
        () => reject(new GRPCUnavailableError(`no answer within ${longestMs} ms`)),
        longestMs,
      )
    })
  } finally {
    clearTimeout(timer)
  }
}
