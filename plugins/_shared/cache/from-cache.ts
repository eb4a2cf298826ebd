import { requestSlot } from '../../../src/plugin/api.ts'

/** The gateway answers with what an upstream has answered before: no error of the gateway's own. */
export const fromCache = requestSlot<boolean>('answer from a cache')
