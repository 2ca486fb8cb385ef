import type { Settings } from '@nxmesh/model/settings'
import type { VirtualHostInput } from '@nxmesh/model/virtual-host'
import { type Directive, parse } from './parse.ts'

/** What of a virtual host can define or use names that nginx shares among all its servers. */
export type NamingHost = Pick<VirtualHostInput, 'server_name' | 'locations' | 'custom_directives' | 'extra_directives'>

const ofNginx =
  /^\$(?:args|limit_rate|invalid_referer|ancient_browser|modern_browser|msie|uid_reset|proxy_host|proxy_port|(?:arg|cookie|http|sent_http|sent_trailer|ssl|upstream_cookie|upstream_http|upstream_trailer|proxy_protocol_tlv)_\w*)$/

/** Tells whether nginx knows a variable without being told of it, though a configuration may set it too. Source: nginx, flag NGX_HTTP_VAR_CHANGEABLE. */
export function isNginxOwn(name: string): boolean {
  return ofNginx.test(name)
}

/** The names that a virtual host defines: `$name` for a variable that it sets or that a regular expression of it captures. */
export function definedByHost({ server_name, locations, custom_directives, extra_directives }: NamingHost): Set<string> {
  const names = new Set<string>()
  if (server_name.includes('~')) addCaptures(names, server_name)
  addDefinitions(names, custom_directives)
  addExtra(names, extra_directives)
  for (const { path, rewrite_rules, custom_directives: own, extra_directives: extra } of locations) {
    if (path.startsWith('~')) addCaptures(names, path)
    for (const { pattern } of rewrite_rules) addCaptures(names, pattern)
    addDefinitions(names, own)
    addExtra(names, extra)
  }
  return names
}

/** The names that the settings define: variables as above, and zones of shared memory as `zone name`. */
export function definedBySettings({ nginx_directives, extra_directives }: Settings): Set<string> {
  const names = new Set<string>()
  addDefinitions(names, nginx_directives)
  addExtra(names, extra_directives)
  return names
}

const setting = new Set(['set', 'auth_request_set', 'set_by_lua', 'set_by_lua_block', 'set_by_lua_file'])
const defining = new Set([...setting, 'map', 'geo', 'split_clients', 'rewrite', 'if'])
const zoned = /^(?:limit_req_zone|limit_conn_zone|\w+_cache_path)$/

function addDefinitions(names: Set<string>, directives: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(directives)) {
    if (!defining.has(name) && !zoned.test(name) && !value.includes('{')) continue
    const text = value.trim()
    const parsed = parse(`${name} ${text}${/[;}]$/.test(text) ? '' : ';'}`)
    if (parsed.ok) for (const directive of parsed.tree.directives) addFrom(names, directive)
  }
}

function addExtra(names: Set<string>, directives: readonly string[] = []): void {
  for (const text of directives) {
    const parsed = parse(/[;}]$/.test(text.trim()) ? text : `${text};`)
    if (parsed.ok) for (const directive of parsed.tree.directives) addFrom(names, directive)
  }
}

function addFrom(names: Set<string>, { name, args, block }: Directive): void {
  const values = args.map(({ value }) => value)
  if (setting.has(name)) addVariable(names, values[0])
  else if (name === 'map' || name === 'split_clients') addVariable(names, values[1])
  else if (name === 'geo') addVariable(names, values.at(-1))
  else if (name === 'rewrite' || name === 'if') for (const value of values) addCaptures(names, value)
  else if (zoned.test(name)) {
    for (const value of values) {
      const zone = /^(?:keys_)?zone=([^:]+)/.exec(value)?.[1]
      if (zone !== undefined) names.add(`zone ${zone}`)
    }
  }
  if (block?.kind !== 'directives') return
  for (const child of block.directives) {
    // The keys of a map are data, and a regular expression among them captures as any other does.
    if (name === 'map') addCaptures(names, child.name)
    else addFrom(names, child)
  }
}

function addVariable(names: Set<string>, argument: string | undefined): void {
  const name = /^\$(\w+)$/.exec(argument ?? '')?.[1]
  if (name !== undefined) names.add(`$${name}`)
}

function addCaptures(names: Set<string>, pattern: string): void {
  for (const name of capturedBy(pattern)) names.add(name)
}

/** The names of the groups of a regular expression, as variables. Source: pcre2pattern, "Named capture groups". */
export function capturedBy(pattern: string): string[] {
  const groups = pattern.matchAll(/\(\?P?<([A-Za-z_]\w*)>|\(\?'([A-Za-z_]\w*)'/g)
  return [...groups].map(([, bracketed, quoted]) => `$${bracketed ?? quoted}`)
}
