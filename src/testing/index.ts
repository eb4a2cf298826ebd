/** What a plugin's tests may import as `gatewright/testing`. For node:test. */
export { type FakeUpstream, fakeUpstream, type ReceivedRequest } from './fake-upstream.ts'
export {
  type MountedConsumer,
  type MountedPlugin,
  type MountOptions,
  mountPlugin,
  refusal,
} from './mount-plugin.ts'
export type { Answer, RequestInit, SentRequest, UpstreamAnswer } from './plugin-request.ts'
export {
  ADMIN_KEY,
  type Resources,
  type StartOptions,
  startGateway,
  type TestGateway,
} from './start-gateway.ts'
