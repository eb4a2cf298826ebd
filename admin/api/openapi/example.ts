/**
 * One request and its answer. It is shown in the OpenAPI document and in docs/reference/admin-api.md, and sent by a test, after the
 * examples before it in its group, to an admin API whose store was empty at the first of them.
 */
export interface Example {
  /** A sentence without its full stop. */
  readonly title: string
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  /** With its query. */
  readonly path: string
  /** Of the request, beside the key; a key of its own stands for the administrator's. */
  readonly headers?: Readonly<Record<string, string>>
  /** JSON, or a text that goes as it is. */
  readonly body?: unknown
  readonly status: number
  /** JSON, or a text; absent for none. */
  readonly answer?: unknown
  /** Headers of the answer that are worth showing. */
  readonly has?: Readonly<Record<string, string>>
}

/** What belongs together: a kind of resource, or another part of the API. */
export interface ExampleGroup {
  /** The kind, or the name of the part. */
  readonly name: string
  /** What it is for, in plain sentences of Markdown. */
  readonly about: string
  readonly examples: readonly Example[]
}

/** Stands for a PEM text, which no documentation should carry. */
export const CERTIFICATE = '-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n'
/** Stands for the key of {@link CERTIFICATE}. */
export const PRIVATE_KEY = '-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n'
