import { isDeepStrictEqual } from 'node:util'
import { nearest } from '../lib/nearest.ts'
import { DEFAULTS } from './defaults.ts'
import { allowedWords, formFor, isMap, type KeySpec, type SectionSpec, type ValueSpec } from './key-spec.ts'
import { ROOT } from './keys/keys.ts'
import type { Layer } from './layer.ts'
import { childPath } from './path.ts'

/** What a look at one layer brought up; paths are as people write them. */
export interface Findings {
  readonly problems: string[]
  /** Keys of nginx and Lua, each once. */
  readonly ignored: Set<string>
  /** Keys with a value of their own that has no effect in this version. */
  readonly inert: Set<string>
}

export function noFindings(): Findings {
  return { problems: [], ignored: new Set(), inert: new Set() }
}

interface Place {
  readonly value: unknown
  readonly spec: ValueSpec
  readonly path: string
  readonly isSecret: boolean
}

interface Walk {
  readonly layer: Layer
  readonly findings: Findings
}

/**
 * Checks every key and value of a layer and returns its tree without ignored keys, texts from the environment as the texts they
 * were. What is wrong is added to `findings`, all of it and not only the first.
 */
export function checkLayer(layer: Layer, findings: Findings): Readonly<Record<string, unknown>> {
  const root = { value: layer.tree, spec: ROOT, path: '', isSecret: false }
  return checkSection({ ...root, section: ROOT, map: layer.tree }, { layer, findings })
}

function checkValue(place: Place, walk: Walk): unknown {
  const form = formFor(place.spec, place.value)
  if (form?.kind === 'section') {
    if (isMap(place.value)) return checkSection({ ...place, section: form, map: place.value }, walk)
    refuseMerge(place, walk)
  } else if (form?.kind === 'list') {
    if (Array.isArray(place.value) && place.value.length >= form.minItems) {
      const items: unknown[] = place.value
      return items.map((value, index) =>
        checkValue({ ...place, value, spec: form.item, path: childPath(place.path, index) }, walk),
      )
    }
    refuse(place, walk)
  } else if (form?.kind === 'leaf') {
    const value = form.accepts(place.value) ? place.value : (walk.layer.rawText(place.path) ?? place.value)
    if (form.accepts(value)) return value
    refuse(place, walk)
  } else {
    refuse(place, walk)
  }
  return undefined
}

interface SectionPlace extends Place {
  readonly section: SectionSpec
  readonly map: Readonly<Record<string, unknown>>
}

function checkSection(place: SectionPlace, walk: Walk): Record<string, unknown> {
  const kept: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(place.map)) {
    const path = childPath(place.path, name)
    const spec = Object.hasOwn(place.section.keys, name) ? place.section.keys[name] : undefined
    if (spec === undefined) {
      if (place.section.rest === 'free') kept[name] = value
      else if (place.section.rest === 'ignored') walk.findings.ignored.add(path)
      else refuseKey({ ...place, path }, name, walk)
    } else if (spec.effect === 'ignored') {
      walk.findings.ignored.add(path)
    } else {
      kept[name] = checkKey({ value, spec: spec.value, path, isSecret: place.isSecret }, spec, walk)
    }
  }
  for (const name of place.section.required) {
    if (place.map[name] == null) {
      walk.findings.problems.push(`${walk.layer.origin(place.path)}: ${place.path} lacks "${name}"`)
    }
  }
  return kept
}

function checkKey(place: Place, spec: KeySpec, walk: Walk): unknown {
  if (place.value === null) return null
  const isGroup = spec.value.kind === 'section' && Object.keys(spec.value.keys).length > 0
  if (spec.effect === 'accepted' && !isGroup && !isDeepStrictEqual(place.value, defaultAt(place.path))) {
    walk.findings.inert.add(place.path)
  }
  return checkValue({ ...place, isSecret: place.isSecret || spec.isSecret }, walk)
}

function refuse(place: Place, walk: Walk): void {
  const shown = place.isSecret ? '(secret)' : shorten(JSON.stringify(place.value))
  walk.findings.problems.push(
    `${walk.layer.origin(place.path)}: ${place.path}: ${shown} is not allowed; use ${allowedWords(place.spec)}`,
  )
}

/** A map was due and something else came: APISIX's own words (contract §9). */
function refuseMerge(place: Place, walk: Walk): void {
  const path = place.path.replaceAll('.', '->')
  const got = Array.isArray(place.value) ? 'list' : typeof place.value
  walk.findings.problems.push(
    `${walk.layer.origin(place.path)}: failed to merge, path[${path}] expect: table, but got: ${got}`,
  )
}

function refuseKey(place: SectionPlace, name: string, walk: Walk): void {
  const parent = place.path.slice(0, -name.length)
  const siblings = Object.keys(place.section.keys)
  const meant = nearest(name, siblings)
  const elsewhere = allPaths(ROOT, '').filter((path) => path.endsWith(`.${name}`))
  const advice = meant
    ? `did you mean "${parent}${meant}"?`
    : elsewhere.length > 0
      ? `did you mean "${elsewhere[0]}"?`
      : `valid keys here: ${siblings.join(', ')}`
  walk.findings.problems.push(`${walk.layer.origin(place.path)}: unknown key "${place.path}"; ${advice}`)
}

function allPaths(section: SectionSpec, parent: string): string[] {
  return Object.entries(section.keys).flatMap(([name, spec]) => {
    const path = childPath(parent, name)
    return spec.value.kind === 'section' ? [path, ...allPaths(spec.value, path)] : [path]
  })
}

/** The default at a path, in file form; undefined where there is none. */
export function defaultAt(path: string): unknown {
  let value: unknown = DEFAULTS
  for (const name of path.split('.'))
    value = isMap(value) && Object.hasOwn(value, name) ? value[name] : undefined
  return value
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
