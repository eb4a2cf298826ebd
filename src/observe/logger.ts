import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino'

/** The process's structured log. Lines are JSON; secrets are never passed to it. */
export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'level'> & {
  child(bindings: Record<string, unknown>, options?: { readonly level: LogLevel }): Logger
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/** Makes the root logger; `destination` defaults to standard output. */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  return destination ? pino(options, destination) : pino(options)
}
