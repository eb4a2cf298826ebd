import { type DestinationStream, pino } from 'pino'
import type { Logger } from './logger.ts'

/** Where the admin API tells what was written and who was refused. */
export interface AuditLog {
  /** One line; the entry holds no secret. */
  write(entry: object): void
  close(): void
}

/** Opens the audit log: `log` (lines with `audit: true` among the others), `off`, or the path of a file. Throws when it cannot be opened. */
export function createAuditLog(target: string, logger: Logger): AuditLog | undefined {
  if (target === 'off') return undefined
  if (target === 'log') return auditInLog(logger)
  // Synchronous: what was answered is on its way to the disk, also when the process is killed.
  const destination = pino.destination({ dest: target, sync: true, mkdir: true, mode: 0o600 })
  destination.on('error', (error) => logger.error({ err: error }, 'the audit log cannot be written'))
  const lines = auditLines(destination)
  return { write: (entry) => lines.info(entry), close: () => destination.end() }
}

/** Audit lines are written whatever level the log has, unless it is silent. */
function auditInLog(logger: Logger): AuditLog {
  const level = logger.level === 'silent' ? 'silent' : 'info'
  const child = logger.child({ audit: true }, { level })
  return { write: (entry) => child.info(entry, 'admin API'), close: () => {} }
}

function auditLines(destination: DestinationStream) {
  return pino({ base: { audit: true }, timestamp: pino.stdTimeFunctions.isoTime }, destination)
}
