import type { Settings } from '@nxmesh/model/settings'
import { contextsFor } from '../directive-contexts.ts'
import { hashedKeys } from '../map-keys.ts'
import { quote } from '../quote.ts'
import { readStatement, type Statement } from './custom-directives.ts'
import { bucketSize, longestHashed } from './hash-size.ts'
import { type Report, reportOnSettings } from './report.ts'
import type { RenderTarget } from './target.ts'
import type { ConfigWriter } from './writer.ts'

/** The workspace's directives by the context that each is written in. */
export interface PlacedSettings {
  main: Statement[]
  events: Statement[]
  http: Statement[]
  /** In include mode: what goes into each of our servers, as the host's http block may set it already. */
  server: Statement[]
}

/** Where nginx wants a directive of the settings: by name, and http for every name that is not known to belong elsewhere. */
export function settingContext(name: string): 'main' | 'events' | 'http' {
  const contexts = contextsFor(name) ?? []
  if (contexts.includes('main')) return 'main'
  return contexts.includes('events') ? 'events' : 'http'
}

/** Tells whether a directive can stand in an http block but in no server of it; unknown names are judged by their ending. */
function onlyInHttp(name: string): boolean {
  return contextsFor(name)?.every((context) => context === 'http') ?? /(_cache_path|_hash_max_size|_hash_bucket_size|_zone)$/.test(name)
}

/** Reads the settings and sorts them into contexts; what cannot be written is reported. */
export function placeSettings(settings: Settings, target: RenderTarget, report: Report): PlacedSettings {
  const placed: PlacedSettings = { main: [], events: [], http: [], server: [] }
  for (const [name, value] of Object.entries(settings.nginx_directives)) {
    const field = `nginx_directives.${name}`
    const read = readStatement(name, value)
    if (!read.ok) {
      reportOnSettings(report, 'error', field, `is left out: ${read.message}`)
      continue
    }
    const context = settingContext(name)
    if (target.mode === 'owned') placed[context].push(read.statement)
    else if (context !== 'http')
      reportOnSettings(
        report,
        'warning',
        field,
        `is not set: the host's own nginx.conf decides on "${name}" when NxMesh is only included in it`,
      )
    else placed[onlyInHttp(name) ? 'http' : 'server'].push(read.statement)
    if (target.mode === 'include' && name === 'map') reportLongKeys(read.statement, settings, report)
  }
  // nginx sizes a map as it reads it.
  placed.http.sort((a, b) => Number(b.name.startsWith('map_hash_')) - Number(a.name.startsWith('map_hash_')))
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
function reportLongKeys({ text }: Statement, { nginx_directives }: Settings, report: Report): void {
  const keys = hashedKeys(text)
  if (nginx_directives['map_hash_bucket_size'] !== undefined || keys.every((key) => Buffer.byteLength(key) <= longestHashed)) return
  const message = `may need "map_hash_bucket_size ${bucketSize(keys)};" in the http block of the host's nginx.conf`
  reportOnSettings(report, 'warning', 'nginx_directives.map', message)
}

/** Writes statements of the settings, each with its source. */
export function writeSettings(writer: ConfigWriter, statements: readonly Statement[], indent: string): void {
  for (const { name, text } of statements) {
    writer.from({ kind: 'settings', field: `nginx_directives.${name}` })
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
