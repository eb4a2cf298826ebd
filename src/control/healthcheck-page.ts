import type { CheckedNode, HealthReport } from './healthcheck.ts'

/** A column of the page: what stands above it, and what of a node. */
type Column = readonly [title: string, content: (node: CheckedNode, report: HealthReport) => string | number]

const COLUMNS: readonly Column[] = [
  ['Upstream', (_node, { name }) => name],
  ['Check type', (_node, { type }) => type],
  ['Node', ({ ip, port }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)],
  ['Host', ({ hostheader, hostname }) => hostheader ?? hostname],
  ['Status', ({ status }) => status],
  ['Successes', ({ counter }) => counter.success],
  ['TCP failures', ({ counter }) => counter.tcp_failure],
  ['HTTP failures', ({ counter }) => counter.http_failure],
  ['Timeouts', ({ counter }) => counter.timeout_failure],
  [
    'Last change',
    ({ last_change: change }) => (change ? `${change.at}: from ${change.from}: ${change.reason}` : ''),
  ],
]

/** The checks as a page for people: a row for each node. Whatever stands in configuration or came from a node is escaped. */
export function healthcheckPage(reports: readonly HealthReport[]): string {
  const head = row(
    'th',
    COLUMNS.map(([title]) => title),
  )
  const rows = reports.flatMap((report) =>
    report.nodes.map((node) =>
      row(
        'td',
        COLUMNS.map(([, content]) => String(content(node, report))),
      ),
    ),
  )
  return `<!doctype html>
<html><head><meta charset="utf-8"><title>Health of nodes</title></head>
<body><h1>Health of nodes</h1>
<table border="1">
<thead>${head}</thead>
<tbody>
${rows.join('\n')}
</tbody>
</table></body></html>
`
}

function row(cell: 'th' | 'td', contents: readonly string[]): string {
  return `<tr>${contents.map((content) => `<${cell}>${asText(content)}</${cell}>`).join('')}</tr>`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function asText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!)
}
