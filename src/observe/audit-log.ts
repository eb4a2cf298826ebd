import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { pino } from 'pino'
import type { Logger } from './logger.ts'

/** Where the admin API tells what was written and who was refused. */
export interface AuditLog {
  /** One line; the entry holds no secret. Does not throw. */
  write(entry: object): void
}

/**
 * Opens the audit log: `log` (lines with `audit: true` among the others), `off`, or the path of a file. Throws when it cannot be
 * opened. The file is opened for each line, so that it may be moved away or removed at any time; a line that it does not take
 * later goes to `logger`.
 */
export function createAuditLog(target: string, logger: Logger): AuditLog | undefined {
  if (target === 'off') return undefined
  const inLog = auditInLog(logger)
  if (target === 'log') return inLog
  append(target, '')
  let line = ''
  const lines = pino(
    { base: { audit: true }, timestamp: pino.stdTimeFunctions.isoTime },
    {
      write: (text: string) => {
        line = text
      },
    },
  )
  const write = (entry: object): void => {
    lines.info(entry)
    try {
      append(target, line)
    } catch (error) {
      logger.error({ err: error, target }, 'the audit log cannot be written; its line follows here')
      inLog.write(entry)
    }
  }
  return { write }
}

/** Audit lines are written whatever level the log has, unless it is silent. */
function auditInLog(logger: Logger): AuditLog {
  const level = logger.level === 'silent' ? 'silent' : 'info'
  const child = logger.child({ audit: true }, { level })
  return { write: (entry) => child.info(entry, 'admin API') }
}

/** Synchronous: what was answered is on its way to the disk, also when the process is killed. */
function append(path: string, line: string): void {
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(path, 'a', 0o600)
  try {
    if (line.length > 0) writeSync(file, line)
  } finally {
    closeSync(file)
  }
}
