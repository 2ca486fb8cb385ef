import type { Location } from '@nxmesh/model/location'
import { splitPath } from '@nxmesh/model/location-path'
import type { Settings } from '@nxmesh/model/settings'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import type { Directive } from '../parse.ts'
import type { LintObject } from './finding.ts'
import { hostOptions, type NestedLocation, settingsOptions, type Upstreams } from './option-statements.ts'
import { customStatements, headerStatements, type Statement, statement } from './statement.ts'

/** One location with everything that stands in it. */
export interface LocationScope {
  location: Location
  /** Where it stands in the virtual host: `locations.0`. */
  field: string
  modifier: ReturnType<typeof splitPath>['modifier']
  pattern: string
  statements: readonly Statement[]
  /** The location that it stands in; undefined for those of the virtual host itself. */
  outer?: LocationScope
}

/** What the rules over directives look at: the http level as the settings make it. */
export interface SettingsScope {
  kind: 'settings'
  object: LintObject
  settings: Settings
  statements: readonly Statement[]
}

/** A virtual host: what stands in its server block and in each of its locations. */
export interface HostScope {
  kind: 'virtual_host'
  object: LintObject
  host: VirtualHost
  statements: readonly Statement[]
  /** Those of the virtual host, then those that stand in others. */
  locations: readonly LocationScope[]
  /** What stands in locations that its options make for themselves. */
  elsewhere: readonly Statement[]
  /** The level around it. */
  outer: SettingsScope
}

export type Scope = SettingsScope | HostScope

/** The http level of a workspace. */
export function settingsScope(workspaceId: string, settings: Settings): SettingsScope {
  const object = { kind: 'settings', id: workspaceId, name: 'settings' } as const
  const statements = [...customStatements(settings.nginx_directives, 'nginx_directives'), ...settingsOptions(settings)]
  return { kind: 'settings', object, settings, statements }
}

/** A virtual host with its locations; what its options are rendered to stands among its own directives. */
export function hostScope(host: VirtualHost, upstreams: Upstreams, outer: SettingsScope): HostScope {
  const options = hostOptions(host, upstreams, outer.settings)
  const locations = host.locations.map((location, at): LocationScope => {
    const field = `locations.${at}`
    return {
      location,
      field,
      ...splitPath(location.path),
      statements: [...locationStatements(location, field), ...(options.locations.get(at) ?? [])],
    }
  })
  return {
    kind: 'virtual_host',
    object: { kind: 'virtual_host', id: host.id, name: host.name },
    host,
    statements: [...customStatements(host.custom_directives, 'custom_directives'), ...options.server],
    locations: [...locations, ...nestedScopes(options.nested, locations)],
    elsewhere: options.elsewhere,
    outer,
  }
}

/** Every statement of a scope, each with the location that it stands in, if any. */
export function* statementsOf(scope: Scope): Generator<{ statement: Statement; location?: LocationScope }> {
  for (const each of scope.statements) yield { statement: each }
  if (scope.kind === 'settings') return
  for (const each of scope.elsewhere) yield { statement: each }
  for (const location of scope.locations) for (const each of location.statements) yield { statement: each, location }
}

/** What holds in a location, or in the server block where none is given: its own statements, then those of each level around it. */
export function* inForce(scope: HostScope, location?: LocationScope): Generator<Statement> {
  for (let each = location; each; each = each.outer) yield* each.statements
  yield* scope.statements
  yield* scope.outer.statements
}

/** Locations within others: they have no fields, all in them is a statement. */
function nestedScopes(nested: readonly NestedLocation[], locations: readonly LocationScope[]): LocationScope[] {
  const made = new Map<Directive, LocationScope>()
  return nested.map(({ at, field, directive, within, statements }) => {
    const path = directive.args.map(({ value }) => value).join(' ')
    const location = { path, custom_headers: [], rewrite_rules: [], custom_directives: {} }
    const around = within.findLast((each) => made.has(each))
    const outer = (around && made.get(around)) ?? locations[at]
    const scope: LocationScope = { location, field, ...splitPath(path), statements, ...(outer && { outer }) }
    made.set(directive, scope)
    return scope
  })
}

function locationStatements(location: Location, field: string): Statement[] {
  const found: Statement[] = []
  for (const [at, { pattern, replacement, flag }] of location.rewrite_rules.entries())
    found.push(
      statement('rewrite', [pattern, replacement, ...(flag === undefined ? [] : [flag])], `${field}.rewrite_rules.${at}.replacement`),
    )
  if (location.proxy_pass !== undefined) found.push(statement('proxy_pass', [location.proxy_pass], `${field}.proxy_pass`))
  found.push(...headerStatements(location, field))
  if (location.root !== undefined) found.push(statement('root', [location.root], `${field}.root`))
  found.push(...customStatements(location.custom_directives, `${field}.custom_directives`))
  return found
}
