import { dataBlocks } from '../data-blocks.ts'
import { type LuaToken, luaTokens } from '../lua-tokens.ts'
import { type Directive, parse } from '../parse.ts'
import type { Scope } from './scope.ts'

/** A piece of Lua in the configuration itself, with the directive that runs it and the field that it stands in. */
export interface LuaCode {
  directive: string
  field: string
  tokens: readonly LuaToken[]
}

const pieces = new WeakMap<Scope, readonly LuaCode[]>()

/** All Lua of a scope, but for what is in files of the host. */
export function luaCode(scope: Scope): readonly LuaCode[] {
  const known = pieces.get(scope)
  if (known) return known
  const found = scope.kind === 'settings' ? ofSettings(scope.settings) : ofHost(scope.host)
  pieces.set(scope, found)
  return found
}

interface Directives {
  custom_directives: Readonly<Record<string, string>>
  extra_directives?: readonly string[] | undefined
}

function ofSettings({ nginx_directives, extra_directives }: Extract<Scope, { kind: 'settings' }>['settings']): LuaCode[] {
  const found = codeIn({ custom_directives: nginx_directives, extra_directives }, '')
  return found.map((code) => ({ ...code, field: code.field.replace(/^custom_directives/, 'nginx_directives') }))
}

function ofHost(host: Extract<Scope, { kind: 'virtual_host' }>['host']): LuaCode[] {
  return [...codeIn(host, ''), ...host.locations.flatMap((location, at) => codeIn(location, `locations.${at}.`))]
}

function codeIn({ custom_directives, extra_directives = [] }: Directives, prefix: string): LuaCode[] {
  return [
    ...Object.entries(custom_directives).flatMap(([name, value]) => codeOf(`${name} ${value}`, `${prefix}custom_directives.${name}`)),
    ...extra_directives.flatMap((text, at) => codeOf(text, `${prefix}extra_directives.${at}`)),
  ]
}

function codeOf(text: string, field: string): LuaCode[] {
  if (!text.includes('_by_lua')) return []
  const trimmed = text.trim()
  const whole = /[;}]$/.test(trimmed) ? parse(trimmed) : undefined
  const parsed = whole?.ok ? whole : parse(`${trimmed};`)
  return parsed.ok ? parsed.tree.directives.flatMap((directive) => codeWithin(directive, field)) : []
}

function codeWithin({ name, args, block }: Directive, field: string): LuaCode[] {
  if (block?.kind === 'lua') return [{ directive: name, field, tokens: luaTokens(block.source) }]
  if (name.endsWith('_by_lua')) {
    const at = name === 'set_by_lua' ? 1 : 0
    return [{ directive: name, field, tokens: luaTokens(args[at]?.value ?? '') }]
  }
  if (block?.kind !== 'directives' || dataBlocks.has(name)) return []
  return block.directives.flatMap((child) => codeWithin(child, field))
}
