import type { Settings } from '@nxmesh/model/settings'
import type { VirtualHostInput } from '@nxmesh/model/virtual-host'
import { holdsLua, isLua } from './lua-directives.ts'
import { parse } from './parse.ts'

/** A statement that is Lua or holds some, and the field that it stands in. */
export interface LuaUse {
  field: string
  name: string
}

interface Directives {
  custom_directives: Readonly<Record<string, string>>
  extra_directives?: readonly string[] | undefined
}

/** What of a virtual host is Lua. */
export function luaOfHost(host: Pick<VirtualHostInput, 'custom_directives' | 'extra_directives' | 'locations'>): LuaUse[] {
  return [...usesIn(host, ''), ...host.locations.flatMap((location, at) => usesIn(location, `locations.${at}.`))]
}

/** What of the settings is Lua. */
export function luaOfSettings({ nginx_directives, extra_directives }: Settings): LuaUse[] {
  const uses = usesIn({ custom_directives: nginx_directives, extra_directives }, '')
  return uses.map(({ field, name }) => ({ field: field.replace(/^custom_directives/, 'nginx_directives'), name }))
}

function usesIn({ custom_directives, extra_directives = [] }: Directives, prefix: string): LuaUse[] {
  const uses: LuaUse[] = []
  for (const [name, value] of Object.entries(custom_directives)) {
    const field = `${prefix}custom_directives.${name}`
    if (isLua(name)) uses.push({ field, name })
    else if (value.includes('lua')) uses.push(...usesInText(`${name} ${value}`, field))
  }
  for (const [at, text] of extra_directives.entries())
    if (text.includes('lua')) uses.push(...usesInText(text, `${prefix}extra_directives.${at}`))
  return uses
}

function usesInText(text: string, field: string): LuaUse[] {
  const trimmed = text.trim()
  const parsed = parse(/[;}]$/.test(trimmed) && parse(trimmed).ok ? trimmed : `${trimmed};`)
  return parsed.ok ? parsed.tree.directives.filter(holdsLua).map(({ name }) => ({ field, name })) : []
}
