import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { MAX_ALIASES, notYaml } from './yaml-text.ts'

/** A thread that takes longer, or more memory, is ended: a short text can describe a huge document. */
const TIME_LIMIT_MS = 60_000
const MEMORY_LIMIT_MB = 1024

/**
 * JavaScript, not TypeScript, and a text, not a file: a thread starts without the loaders of the process, from sources as well as
 * from the build.
 */
const PROGRAM = `
const { parentPort, workerData } = require('node:worker_threads')
const { LineCounter, parseDocument, stringify } = require(workerData.yaml)
const { task, text, maxAliasCount } = workerData
function toJson() {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { merge: true, prettyErrors: false, logLevel: 'error', lineCounter })
  const [error] = document.errors
  if (error) return { message: error.message, line: lineCounter.linePos(error.pos[0]).line }
  return { text: JSON.stringify(document.toJS({ maxAliasCount })) ?? 'null' }
}
try {
  parentPort.postMessage(task === 'toJson' ? toJson() : { text: stringify(JSON.parse(text), { lineWidth: 0 }) })
} catch (error) {
  parentPort.postMessage({ message: error.message })
}
`

/** What a thread made of its text, or what kept it from that. */
interface Outcome {
  readonly text?: string
  readonly message?: string
  readonly line?: number
}

/**
 * The JSON of a YAML text, made on a thread of its own. Throws an Error, which shows no part of the text, when it is not YAML or
 * describes too much.
 */
export async function yamlToJson(text: string): Promise<string> {
  const { text: json, message = 'it describes too much', line } = await onThread('toJson', text)
  if (json !== undefined) return json
  throw notYaml(message, line)
}

/** The YAML of a JSON text, made on a thread of its own, without marks of its beginning and end. */
export async function jsonToYaml(text: string): Promise<string> {
  const { text: yaml } = await onThread('toYaml', text)
  if (yaml === undefined) throw new Error(`${text.length} characters could not be written as YAML`)
  return yaml
}

function onThread(task: 'toJson' | 'toYaml', text: string): Promise<Outcome> {
  const yaml = createRequire(import.meta.url).resolve('yaml')
  const worker = new Worker(PROGRAM, {
    eval: true,
    execArgv: [],
    workerData: { task, text, yaml, maxAliasCount: MAX_ALIASES },
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_LIMIT_MB },
  })
  return new Promise((resolve) => {
    const timer = setTimeout(() => void worker.terminate(), TIME_LIMIT_MS)
    let outcome: Outcome = {}
    worker.once('message', (message: Outcome) => {
      outcome = message
    })
    // Out of memory or out of stack: the text asks for too much.
    worker.once('error', () => {
      outcome = {}
    })
    worker.once('exit', () => {
      clearTimeout(timer)
      resolve(outcome)
    })
  })
}
