import type { Settings } from '@nxmesh/model/settings'
import { contextsFor } from '../directive-contexts.ts'
import { hashedKeys } from '../map-keys.ts'
import { quote } from '../quote.ts'
import { bucketSize, longestHashed } from './hash-size.ts'
import { withoutMissing } from './optional-modules.ts'
import type { OptionLine } from './options/line.ts'
import { type Cache, cacheOf } from './options/proxy-cache.ts'
import { optionLines, usableLines } from './options.ts'
import { lacksModule } from './plan.ts'
import { type CustomStatement, readCustomDirectives } from './read-custom.ts'
import type { Rendering } from './rendering.ts'
import { type Report, reportOnSettings } from './report.ts'
import type { ConfigWriter } from './writer.ts'

/** The workspace's directives by the context that each is written in. */
export interface PlacedSettings {
  main: CustomStatement[]
  events: CustomStatement[]
  http: CustomStatement[]
  /** In include mode: what goes into each of our servers, as the host's http block may set it already. */
  server: CustomStatement[]
  /** Typed options, written in the http block of an nginx of ours and else in each of our servers. */
  options: OptionLine[]
  /** For whichever virtual hosts want one. */
  cache: Cache
}

/** Where nginx wants a directive of the settings: by name, and http for every name that is not known to belong elsewhere. */
export function settingContext(name: string): 'main' | 'events' | 'http' {
  const contexts = contextsFor(name) ?? []
  if (contexts.includes('main')) return 'main'
  return contexts.includes('events') ? 'events' : 'http'
}

function settingField(field: string): string {
  return field.replace(/^custom_directives/, 'nginx_directives')
}

/** Tells whether a directive can stand in an http block but in no server of it; unknown names are judged by their ending. */
function onlyInHttp(name: string): boolean {
  return (
    contextsFor(name)?.every((context) => context === 'http') ??
    /(^upstream$|_cache_path|_hash_max_size|_hash_bucket_size|_zone)$/.test(name)
  )
}

/** Reads the settings and sorts them into contexts; what cannot be written is reported. `grpc` tells that some location speaks it. */
export function placeSettings(
  settings: Settings,
  { target, report, uses }: Pick<Rendering, 'target' | 'report' | 'uses'>,
  grpc: boolean,
): PlacedSettings {
  const cache = cacheOf(target.runtime_directory, settings.proxy_cache_path)
  const placed: PlacedSettings = { main: [], events: [], http: [], server: [], options: [], cache }
  const directives = { custom_directives: settings.nginx_directives, extra_directives: settings.extra_directives }
  const written = readCustomDirectives(directives, 'settings', (field, message) =>
    reportOnSettings(report, 'error', settingField(field), `is left out: ${message}`),
  )
  const { statements } = withoutMissing(written, { target, uses }, (severity, field, message) =>
    reportOnSettings(report, severity, settingField(field), message),
  )
  for (const read of statements) {
    const { name } = read
    const field = settingField(read.field)
    const statement = { ...read, field }
    const context = settingContext(name)
    const missing = [...(read.modules ?? [])].find((module) => !target.facts.supports[module])
    if (missing) {
      reportOnSettings(report, 'error', field, `is left out: ${lacksModule(target, missing)}`)
      continue
    }
    if (target.mode === 'owned') placed[context].push(statement)
    else if (context !== 'http')
      reportOnSettings(
        report,
        'warning',
        field,
        `is not set: the host's own nginx.conf decides on "${name}" when NxMesh is only included in it`,
      )
    else placed[onlyInHttp(name) ? 'http' : 'server'].push(statement)
    if (target.mode === 'include' && name === 'map') reportLongKeys(statement, settings, report)
  }
  // nginx sizes a map as it reads it.
  placed.http.sort((a, b) => Number(b.name.startsWith('map_hash_')) - Number(a.name.startsWith('map_hash_')))
  const set = new Set([...placed.http, ...placed.server].map(({ name }) => name))
  placed.options = usableLines(
    optionLines(settings, { key: '', host: '', cache, speaks: { http: true, grpc }, folder: '' }),
    target,
    (name) => set.has(name),
    (severity, field, message) => reportOnSettings(report, severity, field, message),
  )
  if (target.mode === 'include') {
    for (const name of Object.keys(settings.env_vars))
      reportOnSettings(
        report,
        'warning',
        `env_vars.${name}`,
        'is not set: only the main context of nginx.conf can set it, which is not ours here',
      )
  }
  return placed
}

// The sizes may stand only once, so they are the host's to set.
function reportLongKeys({ text, field }: CustomStatement, { nginx_directives }: Settings, report: Report): void {
  const keys = hashedKeys(text)
  if (nginx_directives['map_hash_bucket_size'] !== undefined || keys.every((key) => Buffer.byteLength(key) <= longestHashed)) return
  const message = `may need "map_hash_bucket_size ${bucketSize(keys)};" in the http block of the host's nginx.conf`
  reportOnSettings(report, 'warning', field, message)
}

/** Writes statements of the settings, each with its source. */
export function writeSettings(writer: ConfigWriter, statements: readonly CustomStatement[], indent: string): void {
  for (const { field, text } of statements) {
    writer.from({ kind: 'settings', field })
    writer.lines(indent + text)
  }
  writer.from(undefined)
}

/** Writes the environment of the workers. */
export function writeEnvironment(writer: ConfigWriter, settings: Settings): void {
  for (const [name, value] of Object.entries(settings.env_vars)) {
    writer.from({ kind: 'settings', field: `env_vars.${name}` })
    writer.line(`env ${quote(`${name}=${value}`)};`)
  }
  writer.from(undefined)
}
