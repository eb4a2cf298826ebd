import { definePlugin, type FromSchema, type RequestContext } from '../../src/plugin/api.ts'
import { forgetBody, replaceBody } from '../_shared/body/replace-body.ts'
import { fromCache } from '../_shared/cache/from-cache.ts'

const schema = { type: 'object', properties: {} } as const

const page = {
  type: 'object',
  properties: {
    body: { type: 'string', minLength: 1, description: 'The page.' },
    content_type: {
      type: 'string',
      minLength: 1,
      pattern: '^[\\t\\x20-\\x7e]+$',
      default: 'text/html',
      description: 'Its `Content-Type`.',
    },
  },
} as const

const metadataSchema = {
  type: 'object',
  properties: {
    enable: { type: 'boolean', default: false, description: 'Whether pages are sent.' },
    error_404: {
      ...page,
      description: 'For requests that no route takes, and other answers 404 of the gateway.',
    },
    error_500: { ...page, description: 'For failures inside the gateway.' },
    error_502: { ...page, description: 'For nodes that cannot be reached or break off.' },
    error_503: { ...page, description: 'For routes without a healthy node, and refusals with 503.' },
  },
} as const

type Metadata = FromSchema<typeof metadataSchema>
interface Page {
  readonly body: Buffer
  readonly contentType: string
}
type Pages = ReadonlyMap<number, Page>

/** Gives the gateway's own errors a page of the operator's (contract §7.3). */
export default definePlugin<FromSchema<typeof schema>>({
  name: 'error-page',
  priority: 450,
  phases: ['headerFilter', 'bodyFilter'],
  schema,
  metadataSchema,
  compile(_config, host) {
    const pages = pagesOf(() => host.metadata() as Metadata)
    return {
      headerFilter(context) {
        const page = pageFor(context, pages())
        if (!page) return
        forgetBody(context.response.headers)
        context.response.headers.set('Content-Type', page.contentType)
      },
      bodyFilter(context) {
        const page = pageFor(context, pages())
        return page && replaceBody(page.body)
      },
    }
  },
})

function pageFor(context: RequestContext, pages: Pages): Page | undefined {
  const { source, status } = context.response
  return source === 'gateway' && !context.get(fromCache) ? pages.get(status) : undefined
}

/** The pages of the metadata, made anew when it has changed. */
function pagesOf(metadata: () => Metadata): () => Pages {
  let seen: Metadata | undefined
  let pages: Pages = new Map()
  return () => {
    const current = metadata()
    if (current !== seen) {
      seen = current
      pages = makePages(current)
    }
    return pages
  }
}

function makePages({ enable, error_404, error_500, error_502, error_503 }: Metadata): Pages {
  const pages = new Map<number, Page>()
  if (!enable) return pages
  const given = [
    [404, error_404],
    [500, error_500],
    [502, error_502],
    [503, error_503],
  ] as const
  for (const [status, one] of given) {
    if (one?.body) pages.set(status, { body: Buffer.from(one.body), contentType: one.content_type })
  }
  return pages
}
