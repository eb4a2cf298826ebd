import { readdirSync, readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'

const FOLDER = new URL('bad-plugins/', import.meta.url)

/** Plugins that do what no plugin should: their code by name, for a folder of own plugins. */
export function badPlugins(): Record<string, string> {
  const files = readdirSync(FOLDER)
  return Object.fromEntries(
    files.map((file) => [file.replace('.js', ''), readFileSync(new URL(file, FOLDER), 'utf8')]),
  )
}

export interface Traffic {
  /** Resolves when no request is under way any more. */
  stop(): Promise<{ readonly sent: number; readonly failures: readonly string[] }>
  readonly sent: number
}

/** Sends requests one after the other in each of some lanes until it is stopped; whatever is not 200 is a failure. */
export function sendSteadily(url: string, { lanes = 4, isKeptAlive = true } = {}): Traffic {
  const agent = new Agent({ keepAlive: isKeptAlive, maxSockets: lanes })
  const failures: string[] = []
  let sent = 0
  let isOver = false
  const one = () =>
    new Promise<void>((resolve) => {
      sent++
      const fail = (error: Error) => {
        failures.push(error.message)
        resolve()
      }
      request(url, { agent }, (response) => {
        if (response.statusCode !== 200) failures.push(`status ${response.statusCode}`)
        response.on('error', fail).on('end', resolve).resume()
      })
        .on('error', fail)
        .end()
    })
  const lane = async () => {
    while (!isOver) await one()
  }
  const all = Promise.all(Array.from({ length: lanes }, lane))
  return {
    get sent() {
      return sent
    },
    stop: async () => {
      isOver = true
      await all
      agent.destroy()
      return { sent, failures }
    },
  }
}
