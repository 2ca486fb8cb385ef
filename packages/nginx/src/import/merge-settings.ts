import type { ImportLine } from '@nxmesh/model/import'
import type { Settings } from '@nxmesh/model/settings'

/** Adds what was imported to the settings of a workspace. What these say already stays; the lines then say that it was not taken over. */
export function mergeSettings(
  present: Settings,
  imported: Settings,
  lines: readonly ImportLine[],
): { settings: Settings; lines: ImportLine[] } {
  const fields = new Map<string, string | undefined>()
  const take = (group: 'nginx_directives' | 'env_vars') => {
    const added: Record<string, string> = {}
    for (const [name, value] of Object.entries(imported[group])) {
      const known = Object.hasOwn(present[group], name) ? present[group][name] : undefined
      if (known === undefined) added[name] = value
      else if (known !== value) fields.set(`${group}.${name}`, undefined)
    }
    return { ...present[group], ...added }
  }
  const extra = [...(present.extra_directives ?? [])]
  for (const [at, text] of (imported.extra_directives ?? []).entries()) {
    const known = extra.indexOf(text)
    fields.set(`extra_directives.${at}`, `extra_directives.${known === -1 ? extra.length : known}`)
    if (known === -1) extra.push(text)
  }
  const settings = {
    ...present,
    nginx_directives: take('nginx_directives'),
    env_vars: take('env_vars'),
    ...(extra.length > 0 && { extra_directives: extra }),
  }
  return { settings, lines: lines.map((line) => moved(line, fields)) }
}

function moved(line: ImportLine, fields: ReadonlyMap<string, string | undefined>): ImportLine {
  if (line.object?.kind !== 'settings' || line.field === undefined || !fields.has(line.field)) return line
  const field = fields.get(line.field)
  if (field !== undefined) return { ...line, field }
  const { object: _object, field: _field, ...rest } = line
  return { ...rest, outcome: 'left_out', message: `the settings of the workspace say something else at ${line.field}` }
}
