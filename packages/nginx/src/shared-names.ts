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

/** The names that a virtual host uses, each with the first field that does. In patterns of locations and rewrite rules `$` is no variable. */
function usedNames(host: NamingHost): Map<string, string> {
  const used = new Map<string, string>()
  const add = (name: string, field: string) => {
    if (!used.has(name) && !isNginxOwn(name)) used.set(name, field)
  }
  const text = (value: string, field: string) => {
    if (!value.includes('$')) return
    for (const [, braced, bare] of value.matchAll(/\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g)) add(`$${braced ?? bare}`, field)
  }
  const directive = (name: string, value: string, field: string) => {
    text(value, field)
    const zone = Object.hasOwn(zoneOf, name) ? zoneOf[name]!.exec(value.trim())?.[1] : undefined
    if (zone !== undefined && zone !== 'off') add(`zone ${zone}`, field)
  }
  const directives = (own: Readonly<Record<string, string>>, field: string) => {
    for (const [name, value] of Object.entries(own)) directive(name, value, `${field}.${name}`)
  }
  const extra = (own: readonly string[] | undefined, field: string) => {
    for (const [at, whole] of (own ?? []).entries()) {
      const [, name = '', value = ''] = /^\s*(\w*)(.*)$/s.exec(whole) ?? []
      directive(name, value, `${field}.${at}`)
    }
  }
  directives(host.custom_directives, 'custom_directives')
  extra(host.extra_directives, 'extra_directives')
  for (const [at, { proxy_pass, custom_headers, rewrite_rules, custom_directives, extra_directives }] of host.locations.entries()) {
    const field = `locations.${at}`
    if (proxy_pass !== undefined) text(proxy_pass, `${field}.proxy_pass`)
    for (const [header, { value }] of custom_headers.entries()) text(value, `${field}.custom_headers.${header}.value`)
    for (const [rule, { replacement }] of rewrite_rules.entries()) text(replacement, `${field}.rewrite_rules.${rule}.replacement`)
    directives(custom_directives, `${field}.custom_directives`)
    extra(extra_directives, `${field}.extra_directives`)
  }
  return used
}
