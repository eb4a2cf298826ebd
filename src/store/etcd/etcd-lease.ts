import type { Etcd3, IDuplexStream, ILeaseKeepAliveRequest, ILeaseKeepAliveResponse } from 'etcd3'
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
    keepAlive: () => calls.run('renew a lease', () => renew(client, id)),
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

async function renew(client: Etcd3, id: string): Promise<void> {
  const stream = await client.leaseClient.leaseKeepAlive()
  try {
    const { TTL } = await askOnce(stream, id)
    if (Number(TTL) <= 0) throw leaseLost()
  } finally {
    stream.end()
    stream.cancel()
  }
}

type KeepAliveStream = IDuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>

function askOnce(stream: KeepAliveStream, id: string): Promise<ILeaseKeepAliveResponse> {
  return new Promise((resolve, reject) => {
    stream.on('data', resolve)
    stream.on('error', reject)
    stream.on('end', () => reject(new Error('the server ended the stream')))
    stream.write({ ID: id })
  })
}
