import { createHash, createHmac } from 'node:crypto'

export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string | undefined
}

export interface AwsRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface AwsScope {
  readonly region: string
  readonly service: string
  readonly credentials: AwsCredentials
  /** Milliseconds since the epoch. */
  readonly wallMs: number
}

const ALGORITHM = 'AWS4-HMAC-SHA256'

/** All headers to send, signed with Signature Version 4; `host` is left to whoever sends them. */
export function signAws(request: AwsRequest, scope: AwsScope): Record<string, string> {
  const { credentials } = scope
  const url = new URL(request.url)
  const time = new Date(scope.wallMs).toISOString().replace(/[-:]|\.\d+/g, '')
  const sent: Record<string, string> = {
    ...request.headers,
    'X-Amz-Date': time,
    ...(credentials.sessionToken !== undefined && { 'X-Amz-Security-Token': credentials.sessionToken }),
  }
  const canonical = canonicalHeaders({ ...sent, Host: url.host })
  const names = canonical.map(([name]) => name).join(';')
  const canonicalRequest = [
    request.method,
    url.pathname,
    canonicalQuery(url.searchParams),
    ...canonical.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    sha256(request.body),
  ].join('\n')
  const area = `${time.slice(0, 8)}/${scope.region}/${scope.service}/aws4_request`
  const toSign = [ALGORITHM, time, area, sha256(canonicalRequest)].join('\n')
  const signature = hmac(signingKey(scope, time.slice(0, 8)), toSign).toString('hex')
  sent['Authorization'] =
    `${ALGORITHM} Credential=${credentials.accessKeyId}/${area}, SignedHeaders=${names}, Signature=${signature}`
  return sent
}

function canonicalHeaders(headers: Readonly<Record<string, string>>): [name: string, value: string][] {
  return Object.entries(headers)
    .map(([name, value]): [string, string] => [name.toLowerCase(), value.trim().replace(/ +/g, ' ')])
    .sort(byCode)
}

function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .map(([name, value]): [string, string] => [encode(name), encode(value)])
    .sort(byCode)
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function byCode([name, value]: [string, string], [otherName, otherValue]: [string, string]): number {
  const [one, other] = name === otherName ? [value, otherValue] : [name, otherName]
  return one < other ? -1 : one > other ? 1 : 0
}

/** RFC 3986: all but unreserved characters; `encodeURIComponent` leaves some more. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function signingKey({ credentials, region, service }: AwsScope, day: string): Buffer {
  const parts = [day, region, service, 'aws4_request']
  return parts.reduce(hmac, Buffer.from(`AWS4${credentials.secretAccessKey}`))
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
