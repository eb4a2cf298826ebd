// The process behind the row "@fastify/http-proxy": the package as its README shows it, nothing switched on or off.
// JavaScript, so that Node runs it as it stands.
import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'

const [port, upstream] = process.argv.slice(2)
const app = Fastify()
await app.register(httpProxy, { upstream })
await app.listen({ port: Number(port), host: '127.0.0.1' })
