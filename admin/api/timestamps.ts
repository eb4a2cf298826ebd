import { isObject } from '../../src/model/schema-value.ts'
import { refuse } from './answer.ts'

const NAMES = ['create_time', 'update_time']
/** Where a client could place a timestamp: at the top and in two members. */
const PLACES = ['', 'upstream', 'plugins']

/** Throws the 400 when a client sends a timestamp: they are the server's to write (contract §1.3). */
export function refuseTimestamps(document: Readonly<Record<string, unknown>>): void {
  for (const name of NAMES) {
    for (const place of PLACES) {
      const holder = place === '' ? document : document[place]
      if (!isObject(holder) || !Object.hasOwn(holder, name)) continue
      throw refuse(400, `the property is forbidden:  ${place === '' ? '' : `${place}.`}${name}`)
    }
  }
}

/** Unix seconds. */
export function unixSeconds(clock: { now(): number }): number {
  return Math.floor(clock.now() / 1000)
}
