import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

/** The process that has a store directory open. */
export interface Holder {
  readonly pid: number
  readonly host: string
  /** Tells this run of the pid from an earlier one; empty where the system cannot say. */
  readonly incarnation: string
}

export function describeThisProcess(): Holder {
  return { pid: process.pid, host: hostname(), incarnation: incarnationOf(process.pid) ?? '' }
}

/**
 * Whether the holder still runs. One on another host (a container that was replaced, a moved disk) counts as gone, since nothing
 * here can see it; should it live on, the store refuses its next write.
 */
export function isAlive(holder: Holder, here: Holder = describeThisProcess()): boolean {
  if (holder.host !== here.host || !exists(holder.pid)) return false
  const incarnation = incarnationOf(holder.pid)
  return incarnation === undefined || holder.incarnation === '' || incarnation === holder.incarnation
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it runs, as another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Boot and start time of a process as Linux tells them; "dead" for one that only waits to be reaped; undefined elsewhere. */
function incarnationOf(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in brackets may hold spaces and brackets itself: what follows the last one is regular.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? 'dead' : `${boot}/${fields[19]}`
  } catch {
    // No /proc here, or not ours to read: the pid alone has to do.
    return undefined
  }
}
