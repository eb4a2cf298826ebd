import { compileTemplate, type VariableSource } from '../../src/plugin/api.ts'

/** One entry on its way to Loki. */
export interface LokiLine {
  readonly labels: Readonly<Record<string, string>>
  /** When the request began: nanoseconds since the epoch. */
  readonly time: string
  readonly text: string
}

/** Compiles labels; variables in them are those of each request. A label without any value in it keeps its own text, as in APISIX. */
export function compileLabels(
  labels: Readonly<Record<string, string>>,
): (source: VariableSource) => Record<string, string> {
  const templates = Object.entries(labels).map(([name, text]) => ({
    name,
    text,
    template: compileTemplate(text),
  }))
  return (source) =>
    Object.fromEntries(
      templates.map(({ name, text, template }) => [name, template.renderResolved(source) ?? text]),
    )
}

/** Nanoseconds, as text, for a time in ms: more digits than a number has. */
export function nanoseconds(timeMs: number): string {
  return `${Math.round(timeMs * 1000)}000`
}

/** The body of a push: one stream for each set of labels, entries in their order. */
export function encodePush(lines: readonly LokiLine[]): string {
  const streams = new Map<string, { stream: LokiLine['labels']; values: [time: string, text: string][] }>()
  for (const { labels, time, text } of lines) {
    const key = JSON.stringify(labels)
    let stream = streams.get(key)
    if (!stream) {
      stream = { stream: labels, values: [] }
      streams.set(key, stream)
    }
    stream.values.push([time, text])
  }
  return JSON.stringify({ streams: [...streams.values()] })
}
