import type { Problem } from '@nxmesh/model/problem'
import { type Options, optionLines } from './render/options.ts'

/** Checks the typed options of one place against its custom directives, which may not say the same once more. */
export function checkOptions(
  options: Options,
  custom: Readonly<Record<string, string>>,
  paths: { options: string; custom: string },
): Problem[] {
  const fields = new Map(optionLines(options).map(({ name, field }) => [name, field]))
  return Object.keys(custom).flatMap((name): Problem[] => {
    const field = fields.get(name)
    if (field === undefined) return []
    const message = `"${name}" is set by ${paths.options}${field} already`
    return [{ field: `${paths.custom}.${name}`, message, code: 'CONFLICT' }]
  })
}
