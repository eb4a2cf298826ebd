import { defaultAt } from '../../src/settings/check-layer.ts'
import { allowedWords, type KeySpec, type SectionSpec } from '../../src/settings/key-spec.ts'
import { ROOT } from '../../src/settings/keys/keys.ts'
import { childPath } from '../../src/settings/path.ts'

interface Key {
  readonly path: string
  readonly name: string
  readonly depth: number
  readonly spec: KeySpec
  readonly isGroup: boolean
  readonly default: unknown
}

/** Every key of the settings file, groups before what is in them. */
export function settingsKeys(section: SectionSpec = ROOT, path = '', depth = 0): Key[] {
  return Object.entries(section.keys).flatMap(([name, spec]) => {
    const at = childPath(path, name)
    const inner = spec.value.kind === 'section' ? spec.value : undefined
    const isGroup = inner !== undefined && Object.keys(inner.keys).length > 0
    const key = { path: at, name, depth, spec, isGroup, default: defaultAt(at) }
    return [key, ...(isGroup ? settingsKeys(inner, at, depth + 1) : [])]
  })
}

/** The reference table of docs/reference/config.md. */
export function renderKeyTable(): string {
  const rows = settingsKeys()
    .filter(({ isGroup }) => !isGroup)
    .map((key) => {
      const shown = key.default === undefined ? '–' : `\`${JSON.stringify(key.default)}\``
      const cells = [`\`${key.path}\``, shown, allowedWords(key.spec.value), key.spec.effect, key.spec.doc]
      return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
    })
  return ['| key | default | allowed | effect | meaning |', '|---|---|---|---|---|', ...rows].join('\n')
}

/** The default file, config.yaml: every key that has an effect on us, commented out, with its default. */
export function renderDefaultFile(): string {
  const lines = [
    '# Settings of Gatewright. Every key below stands with its default: take the "#" away where you want another value,',
    '# together with the "#" of the keys it is inside. Meaning and allowed values: docs/reference/config.md.',
    '# Values may hold ${{VARIABLE}} or ${{VARIABLE:=default}} from the environment.',
    '#',
    '# `deployment.etcd` is written with two "#": to name it at all selects etcd as the store.',
  ]
  for (const key of settingsKeys()) {
    if (key.spec.effect === 'ignored') continue
    if (key.depth === 0) lines.push('')
    const hash = key.path.startsWith('deployment.etcd') ? '##' : '#'
    const value = key.isGroup ? '' : ` ${key.default === undefined ? 'null' : JSON.stringify(key.default)}`
    lines.push(`${hash}${'  '.repeat(key.depth)}${key.name}:${value}`.padEnd(44).concat(` # ${key.spec.doc}`))
  }
  return `${lines.join('\n')}\n`
}
