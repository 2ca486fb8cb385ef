import type { Settings } from '@nxmesh/model/settings'
import type { VirtualHostInput } from '@nxmesh/model/virtual-host'
import { dataBlocks } from './data-blocks.ts'
import { type LoadableModule, moduleOf } from './module-directives.ts'
import { type Directive, parse } from './parse.ts'

/** A statement that needs a module which nginx must load, or holds one that does, and the field that it stands in. */
export interface ModuleUse {
  field: string
  name: string
  module: LoadableModule
}

interface Directives {
  custom_directives: Readonly<Record<string, string>>
  extra_directives?: readonly string[] | undefined
}

/** What of a virtual host needs modules. */
export function modulesOfHost(host: Pick<VirtualHostInput, 'custom_directives' | 'extra_directives' | 'locations'>): ModuleUse[] {
  return [...usesIn(host, ''), ...host.locations.flatMap((location, at) => usesIn(location, `locations.${at}.`))]
}

/** What of the settings needs modules. */
export function modulesOfSettings({ nginx_directives, extra_directives }: Settings): ModuleUse[] {
  const uses = usesIn({ custom_directives: nginx_directives, extra_directives }, '')
  return uses.map((use) => ({ ...use, field: use.field.replace(/^custom_directives/, 'nginx_directives') }))
}

/** The modules that a directive needs, with all in it. */
export function modulesIn({ name, block }: Directive): ReadonlySet<LoadableModule> {
  const own = moduleOf(name)
  const inner = block?.kind === 'directives' && !dataBlocks.has(name) ? block.directives : []
  return new Set([...(own ? [own] : []), ...inner.flatMap((directive) => [...modulesIn(directive)])])
}

// What no text with such a directive is without, so that the others need no parser.
const hint = /lua|more_|echo|fancyindex|subs_filter|image_filter|cache_purge/

function usesIn({ custom_directives, extra_directives = [] }: Directives, prefix: string): ModuleUse[] {
  const uses: ModuleUse[] = []
  for (const [name, value] of Object.entries(custom_directives)) {
    const field = `${prefix}custom_directives.${name}`
    const module = moduleOf(name)
    if (module) uses.push({ field, name, module })
    else if (hint.test(value)) uses.push(...usesInText(`${name} ${value}`, field))
  }
  for (const [at, text] of extra_directives.entries())
    if (hint.test(text)) uses.push(...usesInText(text, `${prefix}extra_directives.${at}`))
  return uses
}

function usesInText(text: string, field: string): ModuleUse[] {
  const trimmed = text.trim()
  const parsed = parse(/[;}]$/.test(trimmed) && parse(trimmed).ok ? trimmed : `${trimmed};`)
  if (!parsed.ok) return []
  return parsed.tree.directives.flatMap((directive) => [...modulesIn(directive)].map((module) => ({ field, name: directive.name, module })))
}
