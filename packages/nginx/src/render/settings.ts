import type { Settings } from '@nxmesh/model/settings'
import { quote } from '../quote.ts'
import { readStatement, type Statement } from './custom-directives.ts'
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

const mainNames = new Set([
  'worker_processes',
  'worker_rlimit_nofile',
  'worker_rlimit_core',
  'worker_priority',
  'worker_cpu_affinity',
  'worker_shutdown_timeout',
  'pcre_jit',
  'timer_resolution',
  'thread_pool',
  'ssl_object_cache_inheritable',
])

const eventsNames = new Set([
  'worker_connections',
  'multi_accept',
  'use',
  'accept_mutex',
  'accept_mutex_delay',
  'worker_aio_requests',
  'debug_connection',
])

const httpOnly =
  /^(map|geo|split_clients|log_format|limit_req_zone|limit_conn_zone|.*_cache_path|.*_hash_max_size|.*_hash_bucket_size|charset_map|keyval|keyval_zone|match|proxy_cache_path|open_log_file_cache_path|js_.*|resolver_zone|otel_.*|userid_zone|api_.*)$/

/** Where nginx wants a directive of the settings: by name, and http for every other. */
export function settingContext(name: string): 'main' | 'events' | 'http' {
  if (mainNames.has(name)) return 'main'
  return eventsNames.has(name) ? 'events' : 'http'
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
    else placed[httpOnly.test(name) ? 'http' : 'server'].push(read.statement)
  }
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
