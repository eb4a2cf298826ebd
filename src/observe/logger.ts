import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino'
import { LineWriter } from './line-writer.ts'

/** The process's structured log. Lines are JSON; secrets are never passed to it. */
export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'level'> & {
  child(bindings: Record<string, unknown>, options?: { readonly level: LogLevel }): Logger
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/** Makes the root logger; `destination` defaults to standard output. */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  return pino(options, destination ?? (level === 'silent' ? NOWHERE : standardOutput()))
}

const NOWHERE: DestinationStream = { write: () => {} }

/** What standard output takes from one process before it takes anything from another. */
const CHUNK = 4096

/** Problems of the log cannot stand in it; they go to standard error. */
function standardOutput(): LineWriter {
  let lost = 0
  const tell = (text: string) => void process.stderr.write(`${text}\n`)
  return new LineWriter('stdout', {
    maxChunk: CHUNK,
    isEager: true,
    onFailure: (error) => tell(`the log cannot be written to standard output: ${error.message}`),
    onRecovery: () => {
      tell(`the log is written again; lines that were lost meanwhile: ${lost}`)
      lost = 0
    },
    onDropped: (lines) => {
      lost += lines
    },
  })
}
