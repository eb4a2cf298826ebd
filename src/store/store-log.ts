import type { Logger } from '../observe/logger.ts'

/** The part of the process's log that a store writes to. Values and passwords never go into it. */
export type StoreLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>
