import { readFileSync } from 'node:fs'

/** Of `/proc/PID/stat`, counted behind the name, which may hold anything. */
const USER_TIME = 11
const SYSTEM_TIME = 12

/** Processor time that a process and its threads have used, in ticks of 10 ms; `undefined` when it is gone, or this system does not say. */
export function cpuTicksOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])
  } catch {
    return undefined
  }
}
