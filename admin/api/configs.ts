import { TimeSlices } from '../../src/lib/time-slices.ts'
import { ConfigsStore } from '../../src/store/configs-store.ts'
import { jsonToYaml } from '../../src/store/yaml-thread.ts'
import { type Answer, refuse } from './answer.ts'
import type { Endpoint, RawCall } from './call.ts'
import { readConfigsBody } from './configs-body.ts'
import { type CheckRules, checkConfigs } from './configs-check.ts'
import { nextLists } from './configs-next.ts'
import { configsText } from './configs-text.ts'
import type { AdminDeps } from './deps.ts'
import { unixSeconds } from './timestamps.ts'
import { Turns } from './turns.ts'

/** A whole configuration is larger than one resource, and still has an end. Bytes. */
export const CONFIGS_BODY_LIMIT = 64 * 1024 * 1024

/** Answers about whole configurations: `configs` and `configs/validate` (contract §1.10 and §2.4). */
export interface ConfigsRoutes {
  /** Whether the configuration comes as a whole, so that nothing else is answered below `/apisix/admin`. */
  readonly areAll: boolean
  /** `segments` are those that follow `/apisix/admin`. */
  find(method: string, segments: readonly string[]): Endpoint | undefined
}

export function createConfigsRoutes(deps: AdminDeps): ConfigsRoutes {
  const { plugins, prefix, clock, store } = deps
  const whole = store instanceof ConfigsStore ? store : undefined
  const shared = { plugins, prefix, takesModifiedIndex: whole !== undefined }
  const checks = new Turns()
  const routes = new Map<string, Endpoint>([
    [
      'POST configs/validate',
      raw((call) => checks.take(() => validate(call, { ...shared, findsAll: true })), 'nothing'),
    ],
  ])
  if (whole !== undefined) {
    const writes = new Turns()
    const rules = { ...shared, findsAll: false }
    routes.set(
      'GET configs',
      raw((call) => checks.take(() => show(whole, call))),
    )
    routes.set(
      'HEAD configs',
      raw(async () => ({ status: 200, headers: marksOf(whole) })),
    )
    routes.set(
      'PUT configs',
      raw((call) => writes.take(() => replace(whole, call, { rules, clock }))),
    )
  }
  return {
    areAll: whole !== undefined,
    find: (method, segments) => routes.get(`${method} ${segments.filter((one) => one !== '').join('/')}`),
  }
}

function raw(answerRaw: (call: RawCall) => Promise<Answer>, touches?: 'nothing'): Endpoint {
  const answer = () => {
    throw new Error('whole configurations are read from the raw body')
  }
  return { answer, answerRaw, isVersioned: false, ...(touches && { touches }) }
}

async function validate({ body, headers }: RawCall, rules: CheckRules): Promise<Answer> {
  const slices = new TimeSlices()
  const document = await readConfigsBody(body, one(headers['content-type']), slices)
  const { problems: errors } = await checkConfigs(document, rules, slices)
  if (errors.length === 0) return { status: 200, json: {} }
  return { status: 400, json: { error_msg: 'Configuration validation failed', errors } }
}

async function show(store: ConfigsStore, { headers }: RawCall): Promise<Answer> {
  const marks = marksOf(store)
  const json = await configsText(store.configs, new TimeSlices())
  if (one(headers['accept'])?.startsWith('application/yaml') !== true) {
    return { status: 200, text: json, headers: marks }
  }
  const yaml = await jsonToYaml(json)
  return { status: 200, text: yaml, headers: { ...marks, 'content-type': 'application/yaml' } }
}

interface ReplaceRules {
  readonly rules: CheckRules
  readonly clock: AdminDeps['clock']
}

async function replace(
  store: ConfigsStore,
  { body, headers }: RawCall,
  { rules, clock }: ReplaceRules,
): Promise<Answer> {
  const digest = one(headers['x-digest'])
  if (digest === undefined) throw refuse(400, 'missing digest header')
  const slices = new TimeSlices()
  const document = await readConfigsBody(body, one(headers['content-type']), slices)
  if (store.configs.digest === digest) return { status: 204 }
  const checked = await checkConfigs(document, rules, slices)
  const [problem] = checked.problems
  if (problem !== undefined) throw refuse(400, problem.error)
  const lists = nextLists(store.configs.lists, document, { checked, prefix: rules.prefix })
  await store.replace({ lists, digest, lastModified: unixSeconds(clock) })
  return { status: 202, headers: marksOf(store) }
}

/** Which configuration it is; nothing before the first one came. */
function marksOf({ configs: { digest, lastModified } }: ConfigsStore): Record<string, string> {
  if (digest === undefined) return {}
  return { 'x-digest': digest, 'x-last-modified': String(lastModified) }
}

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}
