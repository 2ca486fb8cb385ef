import type { AgentConfig } from '@nxmesh/model/agent-config'
import { portOf } from '@nxmesh/model/listen-address'
import { hashedKeys } from '../../map-keys.ts'
import { mapHashSizes } from '../hash-size.ts'
import { readCustomDirectives } from '../read-custom.ts'
import type { Rendering } from '../rendering.ts'
import { reportOnSettings } from '../report.ts'
import { writeSettings } from '../settings.ts'
import { sessionDirectives } from '../tls.ts'
import { nameUpstreams, renderUpstream } from '../upstream.ts'
import { ConfigWriter } from '../writer.ts'
import type { PlannedStream } from './plan.ts'
import { renderKeptStreams, renderStreamServer } from './server.ts'

// The cache of HTTP's sessions is another module's, and nginx refuses one name for both.
const sessions = sessionDirectives.map(([name, value]) => [name, value.replace('nxmesh_tls', 'nxmesh_stream_tls')] as const)

/** Writes what stands in the stream block: the settings' directives, the upstreams and a server for each host. Source: nginx stream core module. */
export function renderStream(rendering: Rendering, config: AgentConfig, planned: readonly PlannedStream[]): ConfigWriter {
  const writer = new ConfigWriter()
  const { target, report, names } = { ...rendering, names: nameUpstreams(config.upstreams) }
  writer.line(`# Written by NxMesh for ${target.digest}: changes made here are lost with the next configuration.`)
  const settings = writeDirectives(writer, config, rendering)
  if (planned.some(({ files }) => files)) for (const [name, value] of sessions) if (!settings.has(name)) writer.line(`${name} ${value};`)
  const used = new Set(planned.flatMap(({ host }) => host.upstream_id ?? []))
  const inHttp = new Set(config.virtual_hosts.flatMap(({ locations }) => locations.flatMap(({ upstream_id }) => upstream_id ?? [])))
  const blocks = new Map<string, string>()
  for (const upstream of config.upstreams) {
    if (!used.has(upstream.id)) continue
    const name = `${names.get(upstream.id)!.name}_stream`
    blocks.set(upstream.id, name)
    // What is wrong with a server is said once.
    renderUpstream(writer, upstream, { name, module: 'stream' }, target, inHttp.has(upstream.id) ? [] : report)
  }
  for (const each of planned) renderStreamServer({ ...rendering, writer }, each, { blocks, settings })
  renderKeptStreams(
    { ...rendering, writer },
    new Set(planned.filter(({ host }) => host.protocol === 'tcp').map(({ host }) => portOf(host))),
  )
  writer.from(undefined)
  return writer
}

/** Writes the settings' directives and gives their names. */
function writeDirectives(writer: ConfigWriter, { settings }: AgentConfig, { report }: Rendering): ReadonlySet<string> {
  const directives = { custom_directives: {}, extra_directives: settings.stream_directives }
  const { statements, names } = readCustomDirectives(directives, 'stream', (field, message) =>
    reportOnSettings(report, 'error', fieldOf(field), `is left out: ${message}`),
  )
  const keys = statements.flatMap(({ name, text }) => (name === 'map' ? hashedKeys(text) : []))
  // nginx sizes a map as it reads it.
  for (const [name, value] of mapHashSizes(keys)) if (!names.has(name)) writer.line(`${name} ${value};`)
  const ordered = statements.toSorted((a, b) => Number(b.name.startsWith('map_hash_')) - Number(a.name.startsWith('map_hash_')))
  writeSettings(
    writer,
    ordered.map((statement) => ({ ...statement, field: fieldOf(statement.field) })),
    '',
  )
  return names
}

function fieldOf(field: string): string {
  return field.replace(/^extra_directives/, 'stream_directives')
}
