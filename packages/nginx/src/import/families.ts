import type { SourceDirective } from './source.ts'
import { argumentsOf, everything, textOf } from './text.ts'

const families: Readonly<Record<string, string>> = {
  set: 'rewrite',
  if: 'rewrite',
  return: 'rewrite',
  rewrite: 'rewrite',
  break: 'rewrite',
  allow: 'access',
  deny: 'access',
}

/** Directives of one family are done in the order in which they stand; of others only those of one name are. */
export function familyOf(name: string): string {
  return families[name] ?? name
}

export interface Kept {
  custom_directives: Record<string, string>
  extra_directives: string[]
  /** The field of each directive, seen from the object that keeps it. */
  fields: Map<SourceDirective, string>
}

const longestCustom = 4000
const isName = /^[a-z][a-z0-9_]*$/
/** What is allowed among extra directives alone. */
const onlyExtra = new Set(['location', 'upstream', 'proxy_pass'])

/** Keeps directives as they are: alone of their family by name, else in order. */
export function keep(directives: readonly SourceDirective[]): Kept {
  const counts = new Map<string, number>()
  for (const { name } of directives) counts.set(familyOf(name), (counts.get(familyOf(name)) ?? 0) + 1)
  const kept: Kept = { custom_directives: {}, extra_directives: [], fields: new Map() }
  for (const directive of directives) {
    const { name } = directive
    const value = argumentsOf(directive)
    const alone = counts.get(familyOf(name)) === 1 && value.length <= longestCustom && isName.test(name)
    if (alone && ![...everything([directive])].some((each) => onlyExtra.has(each.name))) {
      kept.custom_directives[name] = value
      kept.fields.set(directive, `custom_directives.${name}`)
    } else {
      kept.fields.set(directive, `extra_directives.${kept.extra_directives.length}`)
      kept.extra_directives.push(textOf(directive))
    }
  }
  return kept
}
