import type { Settings } from '@nxmesh/model/settings'
import { definedByHost, definedBySettings, isNginxOwn, type NamingHost } from '../defined-names.ts'
import { type KnownHost, usedNames } from '../shared-names.ts'
import { definedBy, type LostNames } from './lost-names.ts'
import { emptyVariable, setBy } from './set-names.ts'
import type { SourceDirective } from './source.ts'
import { everything } from './text.ts'

/** What a workspace has before an import. */
export interface Present {
  virtual_hosts: readonly KnownHost[]
  settings: Settings
}

/** The variables of a block that servers set and nothing else defines. nginx knows them in all its servers, and they are empty in the others. */
function setInServers(block: readonly SourceDirective[]): Set<string> {
  const all = [...everything(block)]
  const names = new Set(all.flatMap(setBy).filter((name) => !isNginxOwn(name)))
  for (const name of all.flatMap(definedBy)) names.delete(name)
  return names
}

/**
 * Definitions of the variables that are used where no server may set them: in a host that does not by itself, as the one that does may be
 * left out or be for other agents, and in the directives around the servers, which all agents get.
 */
export function emptyVariables(
  block: readonly SourceDirective[],
  hosts: readonly NamingHost[],
  usedAround: ReadonlyMap<string, string>,
): string[] {
  const set = setInServers(block)
  if (set.size === 0) return []
  const used = new Set(usedAround.keys())
  for (const host of hosts) {
    const own = definedByHost(host)
    for (const name of usedNames(host).keys()) if (!own.has(name)) used.add(name)
  }
  return [...set].filter((name) => used.has(name)).map(emptyVariable)
}

/** Names that mean something else in the workspace than in the files: there only its settings or its virtual hosts define them. */
export function clashingNames(block: readonly SourceDirective[], { virtual_hosts, settings }: Present): LostNames {
  const clashing = new Map<string, string>()
  const set = setInServers(block)
  const inFiles = new Set([...everything(block)].flatMap((directive) => [...definedBy(directive), ...setBy(directive)]))
  const bySettings = definedBySettings(settings)
  const extra = new Set(settings.extra_directives)
  for (const name of bySettings)
    if (set.has(name) && !extra.has(emptyVariable(name))) clashing.set(name, 'the settings of the workspace define it in another way')
  for (const host of virtual_hosts) {
    for (const name of definedByHost(host)) {
      if (inFiles.has(name) || bySettings.has(name) || isNginxOwn(name)) continue
      clashing.set(name, `only virtual host "${host.name}" of the workspace defines it`)
    }
  }
  return clashing
}
