import http from 'node:http'

export interface LoadOptions {
  readonly url: string
  readonly requestsPerSecond: number
  /** Connections that are kept open. */
  readonly connections: number
  /** What a good answer of 200 begins with. */
  readonly expected: string
}

export interface LoadReport {
  readonly sent: number
  /** One line for each request that failed: refused, cut off, late, or answered with something else. */
  readonly failures: readonly string[]
  readonly slowestMs: number
  /** How often each answer came. */
  readonly answers: ReadonlyMap<string, number>
}

const LATE_MS = 2000

/** Sends requests at a steady rate, whether they are answered or not, none of them twice, until it is stopped. */
export function startLoad(options: LoadOptions): { stop(): Promise<LoadReport> } {
  const agent = new http.Agent({ keepAlive: true, maxSockets: options.connections })
  const failures: string[] = []
  const answers = new Map<string, number>()
  const open = new Set<Promise<void>>()
  let sent = 0
  let slowestMs = 0
  const send = async (): Promise<void> => {
    sent++
    const startedMs = performance.now()
    try {
      const body = await ask(options.url, agent)
      if (!body.startsWith(options.expected))
        throw new Error(`an answer that is another's: ${body.slice(0, 100)}`)
      answers.set(body, (answers.get(body) ?? 0) + 1)
    } catch (error) {
      failures.push(`${new Date().toISOString()} ${(error as Error).message}`)
    }
    slowestMs = Math.max(slowestMs, performance.now() - startedMs)
  }
  const timer = setInterval(() => {
    const turn = send().finally(() => open.delete(turn))
    open.add(turn)
  }, 1000 / options.requestsPerSecond)
  return {
    stop: async () => {
      clearInterval(timer)
      await Promise.all(open)
      agent.destroy()
      return { sent, failures, slowestMs, answers }
    },
  }
}

function ask(url: string, agent: http.Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent, timeout: LATE_MS }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text)
        else reject(new Error(`status ${response.statusCode}: ${text.slice(0, 200)}`))
      })
    })
    request.on('timeout', () => request.destroy(new Error(`no answer within ${LATE_MS} ms`)))
    request.on('error', reject)
  })
}
