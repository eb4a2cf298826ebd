// A service that registers itself with Gatewright: whatever has its type in a route's upstream reaches every instance of it.
// In other languages it is the same four calls; see the registry's REST API.
import { createServer } from 'node:http'
import { hostname, networkInterfaces } from 'node:os'

const { REGISTRY_URL, REGISTRY_KEY, TYPE = 'sample', NODE_ID = hostname() } = process.env
const PORT = Number(process.env.PORT ?? 3000)
const ADDRESS = process.env.ADDRESS ?? ownAddress()
const DRAIN_MS = 2000
const RETRY_MS = 1000

let served = 0
const server = createServer((request, response) => {
  served++
  response.end(`hello from ${NODE_ID}, ${request.url}\n`)
})
server.listen(PORT, () => void register())

let timer
let isStopping = false

/** Tells the registry of this instance until it has understood. */
async function register() {
  try {
    const node = await call('PUT', `/nodes/${NODE_ID}`, { endpoint: `http://${ADDRESS}:${PORT}` })
    await call('PUT', `/agents/${TYPE}/${NODE_ID}`, { node_id: NODE_ID })
    say(`registered as ${TYPE}/${NODE_ID} at ${ADDRESS}:${PORT}`)
    await beat(node.heartbeat_interval_ms)
  } catch (error) {
    later(register, error)
  }
}

/** As long as it comes, the instance counts as alive. */
async function beat(intervalMs) {
  try {
    await call('PUT', `/nodes/${NODE_ID}/heartbeat`, {
      timestamp: Date.now(),
      status: 'running',
      metrics: { messages_processed: served },
      agents: [`${TYPE}/${NODE_ID}`],
    })
    schedule(() => void beat(intervalMs), intervalMs)
  } catch (error) {
    // Forgotten, for instance because every gateway was away for longer than the lease: register again.
    if (error.status === 404) return void register()
    later(() => beat(intervalMs), error)
  }
}

function say(line) {
  process.stdout.write(`${line}\n`)
}

function later(work, error) {
  say(`${error.message}; again in ${RETRY_MS} ms`)
  schedule(() => void work(), RETRY_MS)
}

function schedule(work, afterMs) {
  if (!isStopping) timer = setTimeout(work, afterMs)
}

async function call(method, path, body) {
  const response = await fetch(REGISTRY_URL + path, {
    method,
    headers: { 'x-api-key': REGISTRY_KEY, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(2000),
  })
  const text = await response.text()
  if (response.ok) return text === '' ? undefined : JSON.parse(text)
  throw Object.assign(new Error(`${method} ${path}: ${response.status} ${text}`), { status: response.status })
}

/** First tell, then go on serving until every gateway has heard of it, then end. */
async function stop() {
  if (isStopping) return
  isStopping = true
  clearTimeout(timer)
  try {
    await call('DELETE', `/nodes/${NODE_ID}?drain_s=${DRAIN_MS / 1000}`)
  } catch (error) {
    say(`${error.message}; the lease will run out`)
  }
  setTimeout(() => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
  }, DRAIN_MS)
}

process.on('SIGTERM', () => void stop())
process.on('SIGINT', () => void stop())

function ownAddress() {
  const all = Object.values(networkInterfaces()).flat()
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1'
}
