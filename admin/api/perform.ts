import { isUsername } from '../../src/model/id.ts'
import { RevisionConflictError } from '../../src/store/config-store.ts'
import { type Answer, refuse, withEtag } from './answer.ts'
import { waitUntilApplied } from './applied.ts'
import type { Call } from './call.ts'
import { waitForCluster } from './cluster.ts'
import type { AdminDeps } from './deps.ts'
import { DryStore } from './dry-store.ts'
import { changedMeanwhile } from './precondition.ts'
import { type Resource, wholeId } from './resources.ts'
import { refuseMadeId, refuseOutsideId, refuseOutsideLabels, ScopedView } from './scope.ts'
import { keyOf, parseStored } from './stored.ts'

/** GET, PUT, POST, PATCH or DELETE of a resource. */
export type Operation = (deps: AdminDeps, resource: Resource, call: Call) => Promise<Answer>

/** What an operation works on. */
export interface Work {
  readonly deps: AdminDeps
  readonly resource: Resource
  readonly call: Call
}

/** Runs an operation within what the key may see and do, and as the write options ask: dry, conditional, waiting. */
export async function perform(operation: Operation, { deps, resource, call }: Work): Promise<Answer> {
  const { scope, options } = call
  if (call.method === 'GET') {
    const store = scope === undefined ? deps.store : new ScopedView(deps.store, deps.prefix, scope)
    return operation({ ...deps, store }, resource, call)
  }
  if (call.id !== undefined) {
    refuseOutsideId(scope, { kind: resource.kind, id: wholeId(resource, call, call.id) })
  }
  await refuseOutsideOwner({ deps, resource, call })
  if (call.method === 'POST') refuseMadeId(scope)
  const store = options.isDryRun ? new DryStore(deps.store) : deps.store
  const answer = await conditional(() => operation({ ...deps, store }, resource, call), { deps, call })
  if (options.isDryRun || answer.written === undefined) return answer
  const tagged = call.method === 'DELETE' ? answer : withEtag(answer, answer.written.after)
  if (options.wait === undefined) return tagged
  const waiting = { answer: tagged, written: answer.written, timeoutMs: options.wait.timeoutMs }
  return options.wait.for === 'cluster' ? waitForCluster(deps, waiting) : waitUntilApplied(deps, waiting)
}

/** A credential lets its bearer pass as the consumer: who may not change that one may not add to it either. */
async function refuseOutsideOwner({ deps, resource, call: { scope, parent } }: Work): Promise<void> {
  if (scope?.label === undefined || resource.owner === undefined || !isUsername(parent)) return
  const owner = await deps.store.get(keyOf(deps.prefix, resource.owner, parent))
  if (owner !== undefined) refuseOutsideLabels(scope, parseStored(owner.value), 'the owner')
}

/** Who asked for a revision is told in its own terms that another write came between. */
async function conditional(
  run: () => Promise<Answer>,
  { deps, call }: Pick<Work, 'deps' | 'call'>,
): Promise<Answer> {
  if (call.options.precondition === undefined) return run()
  if (call.method === 'POST' && call.options.precondition.match !== undefined) {
    throw refuse(412, 'precondition failed: POST makes a new resource, which has no revision for If-Match')
  }
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof RevisionConflictError)) throw error
    throw changedMeanwhile(error.key, await deps.store.get(error.key))
  }
}
