import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRegistration } from '../../src/registry-client/index.ts'

/**
 * A service in a process of its own that registers one agent of the type `chat`, of the same name as its node; it answers with that
 * name. Arguments: the name, seconds to live, the registry's key and the gateways. It prints `registered` once it is.
 */
const [id = '', ttl = '2', key = '', ...gateways] = process.argv.slice(2)
const server = createServer((_request, response) => void response.end(id))
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
const registration = createRegistration({
  gateways,
  key,
  node: { node_id: id, endpoint: `http://127.0.0.1:${port}`, ttl_s: Number(ttl) },
  agents: [{ type: 'chat', key: id }],
  onState: (state) => void process.stdout.write(`${state}\n`),
})
await registration.start()
