import type { ConfigStreamHost, ConfigUpstream } from '@nxmesh/model/agent-config'
import { checkStreamDirectives } from '../check-stream.ts'
import { inStreams } from '../directive-rules.ts'
import type { CertificateUse } from './certificate-use.ts'
import { type Ledger, noteWhole } from './ledger.ts'
import { type LostNames, usesLost } from './lost-names.ts'
import { noteKept } from './nested.ts'
import { refusedBecause } from './refused.ts'
import { replacedBecause } from './replaced.ts'
import type { SourceDirective } from './source.ts'
import { importStreamServer } from './stream-server.ts'
import { textOf } from './text.ts'
import { readUpstream } from './upstreams.ts'

/** What a stream block becomes. */
export interface ImportedStreams {
  stream_hosts: ConfigStreamHost[]
  upstreams: ConfigUpstream[]
  /** For the settings. */
  stream_directives: string[]
}

interface StreamOptions {
  newId: () => string
  certificates: CertificateUse
  lost: LostNames
  ledger: Ledger
}

/** Turns what stands in a stream block into stream hosts, upstreams and directives of the settings. A server is taken whole or not at all. */
export function importStreams(stream: readonly SourceDirective[], { newId, certificates, lost, ledger }: StreamOptions): ImportedStreams {
  const servers = stream.filter(({ name, block }) => name === 'server' && block)
  const passes = servers.flatMap(({ block = [] }) => block.filter(({ name }) => name === 'proxy_pass').map(({ args }) => args[0] ?? ''))
  // A variable may hold the name of any block.
  const byVariable = passes.some((pass) => pass.includes('$'))
  const upstreams = new Map<string, ConfigUpstream>()
  for (const directive of stream.filter(({ name, block }) => name === 'upstream' && block)) {
    const name = directive.args[0] ?? ''
    const read = readUpstream(byAddress(directive))
    if (!read.ok || !passes.includes(name) || usesLost(directive, lost)) continue
    upstreams.set(name, { id: newId(), ...read.upstream })
    if (!byVariable) noteWhole(ledger, directive, { outcome: 'imported', object: { kind: 'upstream', name } })
  }
  const around = stream.filter(({ name }) => name !== 'server')
  const context = { upstreams, certificates: { ...certificates, around }, newId, lost, ledger }
  const stream_hosts = servers.flatMap((server) => importStreamServer(server, context))
  return { stream_hosts, upstreams: [...upstreams.values()], stream_directives: keepDirectives(stream, ledger, lost) }
}

/** Streams have no `ip_hash`: what chooses a server by the client's address there is the same to an upstream of ours. */
function byAddress(upstream: SourceDirective): SourceDirective {
  const block = upstream.block!.map((directive) =>
    directive.name === 'hash' && directive.args.length === 1 && directive.args[0] === '$remote_addr'
      ? { ...directive, name: 'ip_hash', args: [] }
      : directive,
  )
  return { ...upstream, block }
}

function keepDirectives(stream: readonly SourceDirective[], ledger: Ledger, lost: LostNames): string[] {
  const kept: string[] = []
  for (const directive of stream) {
    const { name, args } = directive
    if (ledger.has(directive) || name === 'server') continue
    if (name.startsWith('ssl_certificate')) {
      ledger.set(directive, { outcome: 'imported', message: 'is written into each stream host that it holds for' })
      continue
    }
    const because = replacedBecause(name, args)
    if (because !== undefined) {
      noteWhole(ledger, directive, { outcome: 'replaced', message: because })
      continue
    }
    const text = textOf(directive)
    const refused = name === 'include' ? refusedBecause(name, args, inStreams) : checkStreamDirectives([text], '')[0]?.message
    const message = refused ?? usesLost(directive, lost)?.message
    if (message !== undefined) {
      noteWhole(ledger, directive, { outcome: 'left_out', message })
      continue
    }
    const object = { kind: 'settings', name: 'settings' } as const
    noteKept(ledger, directive, { outcome: 'kept', object, field: `stream_directives.${kept.length}` })
    kept.push(text)
  }
  return kept
}
