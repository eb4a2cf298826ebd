import type { Etcd3, IKeyValue, ITxnRequest } from 'etcd3'
import type { Condition, LeasedItem, Transaction, TransactionResult } from '../transactions.ts'
import type { EtcdCalls } from './etcd-calls.ts'
import { toItem } from './etcd-codec.ts'

/** Numbers of `Compare.CompareResult.EQUAL` and of `Compare.CompareTarget` in etcd's protocol. */
const EQUAL = 0
const MOD = 2
const LEASE = 4

/** One etcd transaction; when a condition fails its other branch reads the keys of all of them. */
export async function runTransaction(
  client: Etcd3,
  calls: EtcdCalls,
  { conditions, puts = [], deletes = [] }: Transaction,
): Promise<TransactionResult> {
  const request: ITxnRequest = {
    compare: conditions.map(toCompare),
    success: [
      ...puts.map(({ key, value, leaseId }) => ({
        request_put: { key: Buffer.from(key), value: Buffer.from(value), lease: leaseId ?? '0' },
      })),
      ...deletes.map((key) => ({ request_delete_range: { key: Buffer.from(key) } })),
    ],
    failure: conditions.map(({ key }) => ({ request_range: { key: Buffer.from(key) } })),
  }
  const answer = await calls.run('write', (limit) => client.kv.txn(request, limit))
  const revision = Number(answer.header.revision)
  if (answer.succeeded) return { isDone: true, revision }
  const present = answer.responses.map(({ response_range: { kvs } }) => kvs[0] && toLeasedItem(kvs[0]))
  return { isDone: false, revision, present }
}

function toCompare(condition: Condition): NonNullable<ITxnRequest['compare']>[number] {
  const key = Buffer.from(condition.key)
  if ('leaseId' in condition) return { key, result: EQUAL, target: LEASE, lease: condition.leaseId }
  return { key, result: EQUAL, target: MOD, mod_revision: String(condition.modRevision) }
}

function toLeasedItem(kv: IKeyValue): LeasedItem {
  const item = toItem(kv)
  return Number(kv.lease) === 0 ? item : { ...item, leaseId: String(kv.lease) }
}
