import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { MAX_ALIASES } from './yaml-text.ts'

/** A thread that takes longer, or more memory, is ended: a short text can describe a huge document. */
const TIME_LIMIT_MS = 60_000
const MEMORY_LIMIT_MB = 1024

/**
 * JavaScript, not TypeScript, and a text, not a file: a thread starts without the loaders of the process, from sources as well as
 * from the build.
 */
const PROGRAM = `
const { parentPort, workerData } = require('node:worker_threads')
const { parseDocument, stringify } = require(workerData.yaml)
const { task, text, maxAliasCount } = workerData
function toJson() {
  const document = parseDocument(text, { merge: true, prettyErrors: false, logLevel: 'error' })
  if (document.errors.length > 0) throw new Error('not YAML')
  return JSON.stringify(document.toJS({ maxAliasCount })) ?? 'null'
}
try {
  parentPort.postMessage({ text: task === 'toJson' ? toJson() : stringify(JSON.parse(text), { lineWidth: 0 }) })
} catch {
  parentPort.postMessage({})
}
`

/** The JSON of a YAML text, made on a thread of its own; `undefined` when the text is not YAML or describes too much. */
export function yamlToJson(text: string): Promise<string | undefined> {
  return onThread('toJson', text)
}

/** The YAML of a JSON text, made on a thread of its own, without marks of its beginning and end. */
export async function jsonToYaml(text: string): Promise<string> {
  const yaml = await onThread('toYaml', text)
  if (yaml === undefined) throw new Error(`${text.length} characters could not be written as YAML`)
  return yaml
}

function onThread(task: 'toJson' | 'toYaml', text: string): Promise<string | undefined> {
  const yaml = createRequire(import.meta.url).resolve('yaml')
  const worker = new Worker(PROGRAM, {
    eval: true,
    execArgv: [],
    workerData: { task, text, yaml, maxAliasCount: MAX_ALIASES },
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_LIMIT_MB },
  })
  return new Promise((resolve) => {
    const timer = setTimeout(() => void worker.terminate(), TIME_LIMIT_MS)
    let result: string | undefined
    worker.once('message', (message: { readonly text?: string }) => {
      result = message.text
    })
    // Out of memory or out of stack: as an answer it is the same as a text that cannot be read.
    worker.once('error', () => {
      result = undefined
    })
    worker.once('exit', () => {
      clearTimeout(timer)
      resolve(result)
    })
  })
}
