import { capturedBy, isNginxOwn } from '../defined-names.ts'
import type { Ledger } from './ledger.ts'
import { setBy } from './set-names.ts'
import type { SourceDirective } from './source.ts'
import { everything } from './text.ts'
import { ofUnloadedModule } from './unloaded-modules.ts'
import { passedTo } from './upstreams.ts'

/** What nothing defines any more, by `$name`, `zone name` or `upstream name`, with the reason. nginx refuses a whole configuration for one use. */
export type LostNames = ReadonlyMap<string, string>

const setting = /^(perl_set|js_set|js_var|lua_add_variable)$/
const zoned = /^(limit_req_zone|limit_conn_zone|\w+_cache_path)$/
/** The databases of the geoip modules give values to variables of their own names. */
const anyGeoip = '$geoip_*'

/**
 * The names that were defined and that nothing among `kept` defines. A variable that servers alone set is none of them: where no server sets
 * it, it is empty, and can be defined so.
 */
export function lostNames(directives: readonly SourceDirective[], ledger: Ledger, kept: ReadonlySet<string>): LostNames {
  const lost = new Map<string, string>()
  const safe = new Set(kept)
  for (const directive of everything(directives)) {
    const gone = (ledger.get(directive)?.outcome ?? 'left_out') === 'left_out'
    for (const name of definedBy(directive)) {
      if (!gone) safe.add(name)
      else if (!isNginxOwn(name) && !lost.has(name)) lost.set(name, `the "${directive.name}" that defines it cannot be taken over`)
    }
  }
  for (const name of safe) lost.delete(name)
  return lost
}

/** The names that a directive defines for every server, with their values. */
export function definedBy({ name, args, block = [] }: SourceDirective): string[] {
  if (setting.test(name)) return args.slice(0, 1)
  if (name === 'map') return [...args.slice(1, 2), ...block.flatMap((child) => capturedBy(child.name))]
  if (name === 'split_clients') return args.slice(1, 2)
  if (name === 'geo') return args.slice(-1)
  if (name === 'upstream') return [`upstream ${(args[0] ?? '').toLowerCase()}`]
  if (name === 'load_module') return args.slice(0, 1)
  if (/^geoip_(country|city|org)$/.test(name)) return [anyGeoip]
  if (name === 'geoip2') return block.flatMap((child) => (child.name.startsWith('$') ? [child.name] : []))
  if (!zoned.test(name)) return []
  return args.flatMap((argument) => /^(?:keys_)?zone=([^:]+)/.exec(argument)?.[1] ?? []).map((zone) => `zone ${zone}`)
}

/** Why a directive cannot be had with what is lost, and the one in it that makes it so; undefined where it can. */
export function usesLost(directive: SourceDirective, lost: LostNames): { directive: SourceDirective; message: string } | undefined {
  if (lost.size === 0) return undefined
  const own = new Set([...everything([directive])].flatMap((each) => [...definedBy(each), ...setBy(each)]))
  for (const each of everything([directive])) {
    for (const name of usedBy(each)) {
      if (own.has(name)) continue
      const reason = lost.get(name.startsWith('$geoip_') ? anyGeoip : name) ?? lost.get(name)
      if (reason !== undefined) return { directive: each, message: `uses ${name.replace(/^upstream /, '')}, and ${reason}` }
    }
    const module = ofUnloadedModule(each.name, lost)
    if (module !== undefined) return { directive: each, message: `"${each.name}" needs "${module}", which no agent loads` }
  }
  return undefined
}

function usedBy(directive: SourceDirective): string[] {
  const { name, args, block = [], head } = directive
  // In the pattern of a location `$` is no variable; the values of a block of data may hold some.
  const texts = [name === 'location' ? '' : head, ...block.map((child) => child.head)].filter((text) => text.includes('$'))
  const names = texts
    .flatMap((text) => [...text.matchAll(/\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g)])
    .map(([, braced, bare]) => `$${braced ?? bare}`)
  const pass = passedTo(directive)
  if (pass !== undefined) names.push(`upstream ${pass}`)
  const zone = name === 'limit_req' ? args.find((argument) => argument.startsWith('zone='))?.slice(5) : args[0]
  if (/^(limit_req|limit_conn|\w+_cache)$/.test(name) && zone !== undefined) names.push(`zone ${zone}`)
  return names
}
