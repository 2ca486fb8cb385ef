import type { ConfigUpstream } from '@nxmesh/model/agent-config'
import type { UpstreamServer } from '@nxmesh/model/upstream'
import type { NginxSupport } from '../facts.ts'
import { quote } from '../quote.ts'
import { commented } from './comment.ts'
import type { ConnectionKind } from './headers.ts'
import { type Report, reportOnUpstream } from './report.ts'
import type { ConfigWriter } from './writer.ts'

/** By upstream id: the name of its block, and whether connections to it are kept. */
export type UpstreamBlocks = ReadonlyMap<string, { name: string; connection: ConnectionKind }>

/** Chooses the name of each upstream's block: readable, and unique by the end of the id. */
export function nameUpstreams(upstreams: readonly ConfigUpstream[]): UpstreamBlocks {
  const blocks = new Map<string, { name: string; connection: ConnectionKind }>()
  const taken = new Set<string>()
  for (const upstream of upstreams) {
    const slug = upstream.name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .slice(0, 40)
      .replace(/^-|-$/g, '')
    const wanted = `nxmesh_${slug === '' ? '' : `${slug}_`}${upstream.id.replace(/[^A-Za-z0-9]/g, '').slice(-12)}`
    let name = wanted
    for (let copy = 2; taken.has(name); copy++) name = `${wanted}_${copy}`
    taken.add(name)
    blocks.set(upstream.id, { name, connection: upstream.keepalive_connections > 0 ? 'kept' : 'closed' })
  }
  return blocks
}

/** Writes an upstream block: balancing method first and `keepalive` last, as nginx before 1.27 wants it. */
export function renderUpstream(
  writer: ConfigWriter,
  upstream: ConfigUpstream,
  name: string,
  supports: Pick<NginxSupport, 'keepalive_off'>,
  report: Report,
): void {
  const source = { kind: 'upstream', id: upstream.id, name: upstream.name } as const
  writer.from(source)
  writer.line(`# upstream ${commented(upstream.name)}, ${commented(upstream.id)}`)
  writer.line(`upstream ${quote(name)} {`)
  writer.line(`    zone ${quote(name)} ${zoneSize(upstream.servers.length)}k;`)
  switch (upstream.algorithm) {
    case 'least_connections':
      writer.line('    least_conn;')
      break
    case 'ip_hash':
      writer.line('    ip_hash;')
      break
    case 'round_robin':
    case 'weighted_round_robin':
      break
    default:
      upstream.algorithm satisfies never
  }
  renderServers(writer, upstream, source, report)
  writer.from({ ...source, field: 'keepalive_connections' })
  // Where nginx keeps connections unasked it also keeps those that it asked the server to close, and the server does.
  if (upstream.keepalive_connections > 0 || supports.keepalive_off) writer.line(`    keepalive ${upstream.keepalive_connections};`)
  writer.from(source)
  writer.line('}')
}

function renderServers(
  writer: ConfigWriter,
  upstream: ConfigUpstream,
  source: { kind: 'upstream'; id: string; name: string },
  report: Report,
): void {
  const onlyBackups = upstream.servers.every((server) => server.backup)
  let written = 0
  for (const [at, server] of upstream.servers.entries()) {
    const field = `servers.${at}`
    if (server.backup && upstream.algorithm === 'ip_hash') {
      reportOnUpstream(report, 'warning', upstream, `${field}.backup`, 'is left out: ip_hash knows no backup servers')
      continue
    }
    if (server.backup && onlyBackups)
      reportOnUpstream(
        report,
        'warning',
        upstream,
        `${field}.backup`,
        'serves as an ordinary server, as there is no other than backup servers',
      )
    writer.from({ ...source, field })
    writer.line(`    server ${quote(server.address)}${parameters(server, server.backup && !onlyBackups)};`)
    written++
  }
  if (written > 0) return
  reportOnUpstream(report, 'error', upstream, 'servers', 'has no server that can be used: requests are answered with 502')
  // nginx refuses an upstream without servers, but not one whose only server is down.
  writer.line('    server 127.0.0.1:1 down;')
}

function parameters(server: UpstreamServer, backup: boolean): string {
  let text = ''
  if (server.weight > 1) text += ` weight=${server.weight}`
  if (server.max_fails !== 1) text += ` max_fails=${server.max_fails}`
  if (server.fail_timeout !== 10) text += ` fail_timeout=${server.fail_timeout}s`
  if (backup) text += ' backup'
  if (server.down) text += ' down'
  return text
}

/** Kilobytes of shared memory: about two for each server, as a name may stand for several addresses. */
function zoneSize(servers: number): number {
  return Math.max(64, Math.ceil(servers / 32) * 64)
}
