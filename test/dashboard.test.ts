import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, it } from 'node:test'

const ROOT = resolve(import.meta.dirname, '..')

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

const dashboard = JSON.parse(
  readFileSync(join(ROOT, 'docs/operate/compose/grafana/dashboards/gatewright.json'), 'utf8'),
) as {
  readonly uid: string
  readonly panels: readonly Panel[]
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: { readonly query: string } }[]
  }
}

const expressions = dashboard.panels.flatMap((panel) => (panel.targets ?? []).map(({ expr }) => expr))
const queries = [...expressions, ...dashboard.templating.list.map(({ query }) => query.query)]

/** Labels of each metric in the reference, which `metrics-docs.test.ts` holds against the code. */
function documented(): Map<string, { readonly type: string; readonly labels: readonly string[] }> {
  const page = readFileSync(join(ROOT, 'docs/reference/metrics.md'), 'utf8')
  const rows = page.matchAll(/^\| `([a-z_0-9]+)`(?: \(\w+\))? \| (\w+) \|([^|]*)/gm)
  return new Map(
    [...rows].map(([, name, type, labels]) => [
      name!,
      { type: type!, labels: [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label!) },
    ]),
  )
}

/** Names of metrics in an expression, with the labels that are asked for or kept beside them. */
function metricsIn(expression: string): string[] {
  return [...expression.matchAll(/\b(?:apisix|gatewright)_[a-z_0-9]+/g)].map(([name]) => name)
}

const metrics = documented()
const familyOf = (name: string) => (metrics.has(name) ? name : name.replace(/_(bucket|sum|count)$/, ''))

describe('the Grafana dashboard', () => {
  it('asks for metrics that exist', () => {
    const unknown = queries.flatMap(metricsIn).filter((name) => !metrics.has(familyOf(name)))
    assert.deepEqual(unknown, [])
    assert.ok(new Set(queries.flatMap(metricsIn)).size > 25)
  })

  it('names labels that these metrics have', () => {
    // What Prometheus adds: who was asked, and the bounds of buckets.
    const added = ['instance', 'le']
    for (const expression of expressions) {
      const labels = new Set(metricsIn(expression).flatMap((name) => metrics.get(familyOf(name))!.labels))
      const matched = [...expression.matchAll(/[{,](\w+)(?:=~|!=|=)"/g)].map(([, label]) => label!)
      const kept = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(', '))
      for (const label of [...matched, ...kept]) {
        assert.ok(added.includes(label) || labels.has(label), `${label} in ${expression}`)
      }
    }
  })

  it('takes the rate of what counts, and the value of what is', () => {
    for (const expression of expressions) {
      for (const name of metricsIn(expression)) {
        const isGauge = metrics.get(familyOf(name))!.type === 'gauge'
        const isRate = new RegExp(`(rate|increase)\\(${name}\\{`).test(expression)
        assert.equal(isRate, !isGauge, expression)
      }
    }
  })

  it('shows in its legends only labels that its expressions keep', () => {
    for (const { targets = [] } of dashboard.panels) {
      for (const { expr, legendFormat } of targets) {
        const kept = /\bby \(([^)]*)\)/.exec(expr)?.[1]?.split(', ')
        const all = ['instance', ...metricsIn(expr).flatMap((name) => metrics.get(familyOf(name))!.labels)]
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
          assert.ok((kept ?? all).includes(label!), `${label} of ${expr}`)
        }
      }
    }
  })

  it('has panels with ids of their own that do not overlap, and asks the provisioned Prometheus', () => {
    const { panels } = dashboard
    assert.equal(dashboard.uid, 'gatewright')
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
    const cells = new Set<string>()
    for (const { title, type, gridPos, datasource } of panels) {
      if (type !== 'row') assert.equal(datasource?.uid, 'prometheus', title)
      assert.ok(gridPos.x + gridPos.w <= 24, title)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          assert.ok(!cells.has(`${x},${y}`), title)
          cells.add(`${x},${y}`)
        }
      }
    }
  })

  it('shows all that tells how a gateway is', () => {
    const asked = new Set(queries.flatMap(metricsIn).map(familyOf))
    for (const name of [
      ...[
        'gatewright_phase',
        'gatewright_not_ready',
        'gatewright_drain_pending',
        'gatewright_drain_forced_total',
        'apisix_http_status',
        'apisix_http_latency',
      ],
      ...['apisix_upstream_status', 'gatewright_config_published_revision', 'gatewright_config_lag_seconds'],
      ...[
        'gatewright_reloads_total',
        'gatewright_worker_restarts_total',
        'gatewright_event_loop_delay_seconds',
      ],
      ...[
        'gatewright_memory_bytes',
        'gatewright_plugin_failures_total',
        'gatewright_batch_dropped_entries_total',
      ],
    ]) {
      assert.ok(asked.has(name), name)
    }
  })
})
