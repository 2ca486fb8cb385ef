import type { ConfigUpstream } from '@nxmesh/model/agent-config'
import type { UpstreamServer } from '@nxmesh/model/upstream'
import { allowedMarks, isAnswered, usableServers } from '../health-marks.ts'
import { quote } from '../quote.ts'
import { nameIn, writtenAddresses } from '../resolved-names.ts'
import { serviceName } from '../service-name.ts'
import { commented } from './comment.ts'
import type { ConnectionKind } from './headers.ts'
import { type Report, reportOnUpstream } from './report.ts'
import type { RenderTarget } from './target.ts'
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

/** A block of an upstream and the module that reads it. */
export interface UpstreamBlock {
  name: string
  module: 'http' | 'stream'
}

/** Writes an upstream block: balancing method first and `keepalive` last, as nginx before 1.27 wants it. */
export function renderUpstream(
  writer: ConfigWriter,
  upstream: ConfigUpstream,
  { name, module }: UpstreamBlock,
  target: Pick<RenderTarget, 'facts' | 'marks' | 'resolver' | 'names'>,
  report: Report,
): void {
  const { supports } = target.facts
  const resolver = isAnswered(upstream, target) ? target.resolver : undefined
  const source = { kind: 'upstream', id: upstream.id, name: upstream.name } as const
  writer.from(source)
  writer.line(`# upstream ${commented(upstream.name)}, ${commented(upstream.id)}`)
  writer.line(`upstream ${quote(name)} {`)
  const addresses = upstream.servers.flatMap(({ address }) => writtenAddresses(address, target.names))
  writer.line(`    zone ${quote(name)} ${zoneSize(addresses.length * (resolver === undefined ? 1 : 2))}k;`)
  switch (upstream.algorithm) {
    case 'least_connections':
      writer.line('    least_conn;')
      break
    case 'ip_hash':
      // Streams have no ip_hash; this one, too, goes by the client's address.
      writer.line(module === 'http' ? '    ip_hash;' : '    hash $remote_addr;')
      break
    case 'round_robin':
    case 'weighted_round_robin':
      break
    default:
      upstream.algorithm satisfies never
  }
  if (resolver === undefined) {
    const marked = new Set(allowedMarks(upstream, target.marks?.[upstream.id] ?? []))
    renderServers(writer, upstream, { source, marked, names: target.names, report, module })
  } else renderAnswered(writer, upstream, { source, resolver })
  writer.from({ ...source, field: 'keepalive_connections' })
  // Where nginx keeps connections unasked it also keeps those that it asked the server to close, and the server does.
  if (module === 'http' && (upstream.keepalive_connections > 0 || supports.keepalive_off))
    writer.line(`    keepalive ${upstream.keepalive_connections};`)
  writer.from(source)
  writer.line('}')
}

type Source = { kind: 'upstream'; id: string; name: string }

/**
 * Writes the servers as a question to the agent, which answers with those that take requests. The servers themselves stand behind
 * it as backup servers: an nginx that starts while the agent is away has no answer yet, and asks them.
 */
function renderAnswered(writer: ConfigWriter, upstream: ConfigUpstream, { source, resolver }: { source: Source; resolver: string }): void {
  const servers = usableServers(upstream)
  writer.line(`    resolver ${resolver}${servers.some(({ address }) => address.startsWith('[')) ? '' : ' ipv6=off'};`)
  writer.line('    resolver_timeout 5s;')
  const { max_fails, fail_timeout } = servers[0]!
  const limits = parameters({ weight: 1, max_fails, fail_timeout, down: false, mark: false }, false)
  const { service, host } = serviceName(upstream.id)
  writer.line(`    server ${host} service=${service} resolve${limits};`)
  for (const [at, server] of upstream.servers.entries()) {
    writer.from({ ...source, field: `servers.${at}` })
    writer.line(`    server ${quote(server.address)}${parameters({ ...server, mark: false }, true)};`)
  }
}

function renderServers(
  writer: ConfigWriter,
  upstream: ConfigUpstream,
  {
    source,
    marked,
    names,
    report,
    module,
  }: { source: Source; marked: ReadonlySet<string>; names: RenderTarget['names']; report: Report; module: UpstreamBlock['module'] },
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
    const addresses = writtenAddresses(server.address, names)
    if (addresses.length === 0) {
      reportOnUpstream(report, 'warning', upstream, `${field}.address`, `is left out: ${unknownName(nameIn(server.address) ?? '')}`)
      continue
    }
    writer.from({ ...source, field })
    if (addresses[0] !== server.address) writer.line(`    # ${commented(server.address)}`)
    const rest = parameters({ ...server, mark: marked.has(server.address) }, server.backup && !onlyBackups)
    for (const address of addresses) writer.line(`    server ${quote(address)}${rest};`)
    written++
  }
  if (written > 0) return
  reportOnUpstream(
    report,
    'error',
    upstream,
    'servers',
    `has no server that can be used: ${module === 'http' ? 'requests are answered with 502' : 'connections are closed'}`,
  )
  // nginx refuses an upstream without servers, but not one whose only server is down.
  writer.line('    server 127.0.0.1:1 down;')
}

/** Why a name cannot be written. */
export function unknownName(name: string): string {
  return `no address of "${name}" is known to this agent; it goes on asking`
}

function parameters(
  server: Pick<UpstreamServer, 'weight' | 'max_fails' | 'fail_timeout' | 'down'> & { mark: boolean },
  backup: boolean,
): string {
  let text = ''
  if (server.weight > 1) text += ` weight=${server.weight}`
  if (server.max_fails !== 1) text += ` max_fails=${server.max_fails}`
  if (server.fail_timeout !== 10) text += ` fail_timeout=${server.fail_timeout}s`
  if (backup) text += ' backup'
  if (server.down || server.mark) text += ' down'
  return text
}

/** Kilobytes of shared memory: about two for each server, as a name may stand for several addresses. */
function zoneSize(servers: number): number {
  return Math.max(64, Math.ceil(servers / 32) * 64)
}
