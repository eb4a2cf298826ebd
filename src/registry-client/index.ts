/** `gatewright/registry`: what a service needs to register with a gateway (docs/reference/registry.md). */
export { RegistrationError } from './gateway-calls.ts'
export {
  type AgentOptions,
  createRegistration,
  type NodeOptions,
  type Registration,
  type RegistrationOptions,
  type RegistrationState,
} from './registration.ts'
