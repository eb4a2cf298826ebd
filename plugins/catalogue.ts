import type { AnyPlugin } from '../src/plugin/api.ts'

/** Every plugin of this gateway by name, loaded when it is enabled. Alphabetical. */
export const catalogue: Readonly<Record<string, () => Promise<{ default: AnyPlugin }>>> = {
  'basic-auth': () => import('./basic-auth/index.ts'),
  brotli: () => import('./brotli/index.ts'),
  'client-control': () => import('./client-control/index.ts'),
  'consumer-restriction': () => import('./consumer-restriction/index.ts'),
  cors: () => import('./cors/index.ts'),
  csrf: () => import('./csrf/index.ts'),
  echo: () => import('./echo/index.ts'),
  'error-page': () => import('./error-page/index.ts'),
  'fault-injection': () => import('./fault-injection/index.ts'),
  gzip: () => import('./gzip/index.ts'),
  'ip-restriction': () => import('./ip-restriction/index.ts'),
  'key-auth': () => import('./key-auth/index.ts'),
  'limit-count': () => import('./limit-count/index.ts'),
  mocking: () => import('./mocking/index.ts'),
  prometheus: () => import('./prometheus/index.ts'),
  'proxy-rewrite': () => import('./proxy-rewrite/index.ts'),
  'public-api': () => import('./public-api/index.ts'),
  'real-ip': () => import('./real-ip/index.ts'),
  redirect: () => import('./redirect/index.ts'),
  'referer-restriction': () => import('./referer-restriction/index.ts'),
  'request-id': () => import('./request-id/index.ts'),
  'response-rewrite': () => import('./response-rewrite/index.ts'),
  'ua-restriction': () => import('./ua-restriction/index.ts'),
  'uri-blocker': () => import('./uri-blocker/index.ts'),
}
