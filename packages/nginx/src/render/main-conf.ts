import type { Settings } from '@nxmesh/model/settings'
import { accessLogName } from '../access-log.ts'
import { quote } from '../quote.ts'
import type { Statement } from './custom-directives.ts'
import type { Rendering } from './rendering.ts'
import { writeEnvironment, writeSettings } from './settings.ts'
import { ConfigWriter } from './writer.ts'

/** What differs between the configuration that serves and the one that is only tested: a test must not touch what the running nginx uses. */
export type Purpose = 'serve' | 'test'

const mainDefaults = [
  ['worker_processes', 'auto'],
  ['worker_shutdown_timeout', '60s'],
] as const

/** Writes the whole configuration around http.conf. */
export function renderMain({ target, placed, uses }: Rendering, settings: Settings, purpose: Purpose): ConfigWriter {
  const writer = new ConfigWriter()
  const path = (name: string) => quote(`${target.runtime_directory}/${name}`)
  writer.line('# Written by NxMesh: changes made here are lost with the next configuration.')
  const files = [...uses].sort().flatMap((module) => target.facts.modules[module] ?? [])
  for (const file of new Set(files)) writer.line(`load_module ${quote(file)};`)
  if (target.worker_user !== undefined) writer.line(`user ${quote(target.worker_user)};`)
  writer.line(`pid ${path(purpose === 'serve' ? 'nginx.pid' : 'test.pid')};`)
  writer.line(purpose === 'serve' ? `error_log ${path('error.log')} warn;` : 'error_log stderr warn;')
  for (const [name, value] of mainDefaults) if (!has(placed.main, name)) writer.line(`${name} ${value};`)
  writeSettings(writer, placed.main, '')
  writeEnvironment(writer, settings)
  writer.line('events {')
  if (!has(placed.events, 'worker_connections')) writer.line('    worker_connections 1024;')
  writeSettings(writer, placed.events, '    ')
  writer.line('}')
  writer.line('http {')
  for (const kind of ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']) writer.line(`    ${kind}_temp_path ${path(`temp_${kind}`)};`)
  writer.line('    include http.conf;')
  const logs = purpose === 'serve' && target.access_log !== undefined
  writer.line(`    access_log ${logs ? `${quote(target.access_log!)} ${accessLogName}` : 'off'};`)
  writer.line('}')
  if (uses.has('stream')) {
    writer.line('stream {')
    writer.line('    include stream.conf;')
    writer.line('}')
  }
  if (uses.has('mail')) {
    writer.line('mail {')
    writer.line('    include mail.conf;')
    writer.line('}')
  }
  return writer
}

function has(statements: readonly Statement[], name: string): boolean {
  return statements.some((statement) => statement.name === name)
}
