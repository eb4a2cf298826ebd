/** A resource that another refers to: its etcd directory and id, and the message when it is not there. */
export interface Reference {
  readonly directory: string
  readonly id: string
  readonly message: string
  /** What the resource must carry beside being there; `message` is then about that. */
  readonly carries?: Readonly<Record<string, unknown>>
}

/**
 * The checks of one resource in the order of contract §1.6. It yields the references on its way and is told whether each is there;
 * it returns the first message, or `undefined` when all is well.
 */
export type CheckSteps = Generator<Reference, string | undefined, boolean>

type Document = Readonly<Record<string, unknown>>

const WORDS: Readonly<Record<string, string>> = {
  upstreams: 'upstream',
  services: 'service',
  plugin_configs: 'plugin config',
  consumer_groups: 'consumer group',
  ssls: 'ssl',
}

/** Checks that what `document[field]` refers to, if anything, is there. */
export function* checkReference(document: Document, field: string, directory: string): CheckSteps {
  const id = document[field]
  if (id === undefined) return undefined
  const word = WORDS[directory] ?? directory
  const message = `failed to fetch ${word} info by ${word} id [${id}], response code: 404`
  return (yield { directory, id: String(id), message }) ? undefined : message
}
