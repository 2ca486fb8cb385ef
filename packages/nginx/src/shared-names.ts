import type { Problem } from '@nxmesh/model/problem'
import type { Settings } from '@nxmesh/model/settings'
import { definedByHost, definedBySettings, isNginxOwn, type NamingHost } from './defined-names.ts'

/** A virtual host by which others know it. */
export type KnownHost = NamingHost & { id: string; name: string }

/**
 * What a virtual host uses and only another one defines, each at the field that uses it. nginx shares variables among all servers,
 * so it takes such a host, empty as the variable is there, until the other one goes: then it takes nothing at all.
 */
export function foreignNames(host: KnownHost, all: readonly KnownHost[], settings: Settings): Problem[] {
  const foreign = usedNames(host)
  for (const name of [...definedByHost(host), ...definedBySettings(settings)]) foreign.delete(name)
  const problems: Problem[] = []
  if (foreign.size === 0) return problems
  for (const other of all) {
    if (other.id === host.id) continue
    for (const name of definedByHost(other)) {
      const field = foreign.get(name)
      if (field === undefined) continue
      foreign.delete(name)
      const message = `uses ${name}, which only virtual host "${other.name}" defines: define it in this virtual host or in the settings`
      problems.push({ field, message, code: 'UNKNOWN_REFERENCE' })
    }
  }
  return problems
}

/** One use of a name that nothing defines any more. */
export interface LostName {
  name: string
  host: Pick<KnownHost, 'id' | 'name'>
  field: string
}

interface Naming {
  virtual_hosts: readonly KnownHost[]
  settings: Settings
}

/**
 * What virtual hosts use and a change takes away: nginx would refuse the whole configuration of every agent that has one of them.
 * Only the parts that differ are read, unless they define less than before.
 */
export function lostNames(before: Naming, after: Naming): LostName[] {
  const kept = new Set(after.virtual_hosts)
  const gone = before.virtual_hosts.filter((host) => !kept.has(host)).flatMap((host) => [...definedByHost(host)])
  if (before.settings !== after.settings) gone.push(...definedBySettings(before.settings))
  if (gone.length === 0) return []
  const lost = new Set(gone)
  for (const name of definedBySettings(after.settings)) lost.delete(name)
  if (lost.size > 0) for (const host of after.virtual_hosts) for (const name of definedByHost(host)) lost.delete(name)
  if (lost.size === 0) return []
  return after.virtual_hosts.flatMap((host) =>
    [...usedNames(host)].flatMap(([name, field]) => (lost.has(name) ? [{ name, host: { id: host.id, name: host.name }, field }] : [])),
  )
}

const zoneOf: Readonly<Record<string, RegExp>> = {
  limit_req: /(?:^|\s)zone=([^\s;]+)/,
  limit_conn: /^([^\s;]+)/,
  proxy_cache: /^([^\s;]+)/,
  fastcgi_cache: /^([^\s;]+)/,
  uwsgi_cache: /^([^\s;]+)/,
  scgi_cache: /^([^\s;]+)/,
}

type Add = (name: string, field: string) => void

/** The names that a virtual host uses, each with the first field that does. In patterns of locations and rewrite rules `$` is no variable. */
export function usedNames(host: NamingHost): Map<string, string> {
  const { used, add } = newUses()
  const text = (value: string, field: string) => addVariables(value, field, add)
  addUses(host.custom_directives, host.extra_directives, '', add)
  for (const [at, { proxy_pass, custom_headers, rewrite_rules, custom_directives, extra_directives }] of host.locations.entries()) {
    const field = `locations.${at}`
    if (proxy_pass !== undefined) text(proxy_pass, `${field}.proxy_pass`)
    for (const [header, { value }] of custom_headers.entries()) text(value, `${field}.custom_headers.${header}.value`)
    for (const [rule, { replacement }] of rewrite_rules.entries()) text(replacement, `${field}.rewrite_rules.${rule}.replacement`)
    addUses(custom_directives, extra_directives, `${field}.`, add)
  }
  return used
}

/** The names that directives by name and statements use, each with the first field that does. */
export function usedIn(custom: Readonly<Record<string, string>>, extra: readonly string[] | undefined): Map<string, string> {
  const { used, add } = newUses()
  addUses(custom, extra, '', add)
  return used
}

function newUses(): { used: Map<string, string>; add: Add } {
  const used = new Map<string, string>()
  const add: Add = (name, field) => {
    if (!used.has(name) && !isNginxOwn(name)) used.set(name, field)
  }
  return { used, add }
}

function addUses(custom: Readonly<Record<string, string>>, extra: readonly string[] | undefined, path: string, add: Add): void {
  for (const [name, value] of Object.entries(custom)) addUsesOf(name, value, `${path}custom_directives.${name}`, add)
  for (const [at, whole] of (extra ?? []).entries()) {
    const [, name = '', value = ''] = /^\s*(\w*)(.*)$/s.exec(whole) ?? []
    addUsesOf(name, value, `${path}extra_directives.${at}`, add)
  }
}

function addUsesOf(name: string, value: string, field: string, add: Add): void {
  addVariables(value, field, add)
  const zone = Object.hasOwn(zoneOf, name) ? zoneOf[name]!.exec(value.trim())?.[1] : undefined
  if (zone !== undefined && zone !== 'off') add(`zone ${zone}`, field)
}

function addVariables(value: string, field: string, add: Add): void {
  if (!value.includes('$')) return
  for (const [, braced, bare] of value.matchAll(/\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g)) add(`$${braced ?? bare}`, field)
}
