export interface Page {
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

const MAX_REDIRECTS = 12

/** What a browser is to a login: it keeps cookies for each origin, and goes where it is sent. */
export class Browser {
  /** Origin to cookies by name. */
  readonly cookies = new Map<string, Map<string, string>>()

  /** One request, with the cookies of its origin; redirects are answers. */
  async fetch(url: string, init: RequestInit = {}): Promise<Page> {
    const { origin } = new URL(url)
    const jar = this.cookies.get(origin) ?? new Map<string, string>()
    this.cookies.set(origin, jar)
    const headers = new Headers(init.headers)
    if (jar.size > 0) headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '))
    const response = await fetch(url, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) keep(jar, line)
    return { url, status: response.status, headers: response.headers, body: await response.text() }
  }

  /** Follows redirects to the first answer that is none, or that `stop` says is the one to look at. */
  async go(url: string, stop: (next: string) => boolean = () => false): Promise<Page> {
    let page = await this.fetch(url)
    for (let i = 0; i < MAX_REDIRECTS && page.headers.has('location'); i++) {
      const next = new URL(page.headers.get('location')!, page.url).href
      if (stop(next)) return page
      page = await this.fetch(next)
    }
    return page
  }
}

function keep(jar: Map<string, string>, line: string): void {
  const [pair = '', ...attributes] = line.split(/; */)
  const equals = pair.indexOf('=')
  const name = pair.slice(0, equals)
  if (attributes.some((one) => /^max-age=0$/i.test(one)) || pair.slice(equals + 1) === '') jar.delete(name)
  else jar.set(name, pair.slice(equals + 1))
}
