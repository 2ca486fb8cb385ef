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
  const append = (list: 'extra_directives' | 'stream_directives' | 'mail_directives') => {
    const all = [...(present[list] ?? [])]
    for (const [at, text] of (imported[list] ?? []).entries()) {
      const known = all.indexOf(text)
      fields.set(`${list}.${at}`, `${list}.${known === -1 ? all.length : known}`)
      if (known === -1) all.push(text)
    }
    return all.length > 0 ? { [list]: all } : {}
  }
  const settings = {
    ...present,
    nginx_directives: take('nginx_directives'),
    env_vars: take('env_vars'),
    ...append('extra_directives'),
    ...append('stream_directives'),
    ...append('mail_directives'),
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
