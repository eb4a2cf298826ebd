import { after, before, type TestContext } from 'node:test'
import { type RunningEtcd, startEtcd } from '../../../test/support/etcd.ts'
import { createLogger } from '../../observe/logger.ts'
import { storeContract } from '../store-contract.ts'
import { transactionContract } from '../transaction-contract.ts'
import { EtcdStore } from './etcd-store.ts'

const logger = createLogger('silent')
const releases: (() => Promise<void>)[] = []
let etcd: RunningEtcd

before(async () => {
  etcd = await startEtcd({ after: (release) => releases.push(release) })
})
after(async () => {
  for (const release of releases) await release()
})

const open = async (t: TestContext) => {
  const store = new EtcdStore({ hosts: [etcd.endpoint], logger })
  t.after(() => store.close())
  return store
}

storeContract('etcd', open)
transactionContract('etcd', open)
