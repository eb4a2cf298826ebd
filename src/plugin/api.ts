/** Everything a plugin may import from the gateway. */
export type { FromSchema } from 'json-schema-to-ts'
export { compileExpression } from '../expr/compile.ts'
export type { Expression, VariableSource } from '../expr/expr.ts'
export { compilePcre } from '../lib/pcre.ts'
export type { SafePattern } from '../lib/safe-pattern.ts'
export {
  compileTemplate,
  parseTemplate,
  type Template,
  type TemplatePart,
  variableText,
} from '../lib/template.ts'
export type { Ref } from '../model/kind.ts'
export { parseProto } from '../model/proto.ts'
export type { Labels } from '../model/types.ts'
export { compileValidator, type Validator } from '../model/validator.ts'
export type { Logger } from '../observe/logger.ts'
export type { Counter, Family, Gauge, Histogram, MetricRegistry } from '../observe/metrics.ts'
export { BodyGoneError, BodyTooLargeError } from './context/client-body.ts'
export type {
  ConsumerView,
  FoundConsumer,
  Headers,
  RequestContext,
  RequestStats,
  ResponseView,
  RouteView,
  UpstreamRequest,
  VariableValue,
} from './context/request-context.ts'
export { type RequestSlot, requestSlot } from './context/slot.ts'
export {
  type AnyPlugin,
  type BodyFilter,
  type BodyStream,
  type BodyTap,
  type CheckTools,
  type Clock,
  ConfigError,
  definePlugin,
  type InstanceHost,
  type NodeOperation,
  type PhaseName,
  type PhaseResult,
  type PluginDefinition,
  type PluginHost,
  type PluginInstance,
  type PublicApi,
  type Reply,
  type Schema,
  type StoredPart,
  type StoredProto,
  type UpstreamHandle,
  type UpstreamTarget,
  type WorkerOperation,
} from './definition.ts'
export {
  type HttpAnswer,
  type HttpCall,
  HttpCallError,
  type HttpClient,
  type HttpTls,
} from './http-client.ts'
export type { TlsCheck } from './tls-trust.ts'
