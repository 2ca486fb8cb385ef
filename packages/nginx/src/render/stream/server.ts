import { quote } from '../../quote.ts'
import { listenName } from '../../shared-sockets.ts'
import { streamAnswers } from '../../stream-directives.ts'
import { commented } from '../comment.ts'
import type { Rendering } from '../rendering.ts'
import { listen } from '../server.ts'
import { writeTlsPolicy } from '../tls.ts'
import { streamOptionLines } from './options.ts'
import type { PlannedStream } from './plan.ts'

const indent = '    '

/** What stands in the stream block around the servers. */
export interface StreamBlock {
  /** The names of upstreams' blocks by the ids of these. */
  blocks: ReadonlyMap<string, string>
  /** The directives that the settings set for all servers. */
  settings: ReadonlySet<string>
}

/** Writes the server of one stream host. */
export function renderStreamServer(
  rendering: Rendering,
  { host, addresses, files, custom }: PlannedStream,
  { blocks, settings }: StreamBlock,
): void {
  const { writer, policy } = rendering
  const source = { kind: 'stream_host', id: host.id, name: host.name } as const
  const isSet = (name: string) => custom.names.has(name)
  writer.from(source)
  writer.line(`# stream host ${commented(host.name)}, ${commented(host.id)}`)
  const options = streamOptionLines(host, host.id).filter(({ name }) => !isSet(name))
  for (const { shared, field } of options) {
    if (shared === undefined) continue
    writer.from({ ...source, field })
    writer.line(shared)
  }
  writer.from(source)
  writer.line('server {')
  writer.from({ ...source, field: host.listen_addresses ? 'listen_addresses' : 'listen_port' })
  // Without a socket of its own each worker may get the next datagram of a client, and begins another session with it.
  const how = [host.protocol === 'udp' ? ' udp reuseport' : '', files ? ' ssl' : '', host.accept_proxy_protocol ? ' proxy_protocol' : '']
  for (const address of addresses) listen(rendering, host.listen_port, address, how.join(''))
  if (files) {
    writer.from({ ...source, field: 'ssl_certificate_id' })
    writer.line(`${indent}ssl_certificate ${quote(files.certificate)};`)
    writer.line(`${indent}ssl_certificate_key ${quote(files.key)};`)
    writer.from({ ...source, field: 'tls_policy' })
    const common = host.tls_policy === undefined ? settings : new Set()
    writeTlsPolicy(writer, host.tls_policy ?? policy, (name) => isSet(name) || common.has(name), indent)
  }
  for (const { field, text } of options) {
    writer.from({ ...source, field })
    writer.line(indent + text)
  }
  if (host.upstream_id !== undefined) {
    writer.from({ ...source, field: 'upstream_id' })
    writer.line(`${indent}proxy_pass ${quote(blocks.get(host.upstream_id)!)};`)
  }
  for (const { field, name, text } of custom.statements) {
    // Of two ways to go nginx refuses the second, or takes the last.
    if (streamAnswers.has(name) && host.upstream_id !== undefined) continue
    writer.from({ ...source, field })
    writer.lines(indent + text)
  }
  writer.from(source)
  writer.line('}')
}

/** Writes servers for sockets of stream hosts' ports that have to stay open for a moment: nginx gives what comes to one to the module alone that has it open. */
export function renderKeptStreams({ writer, unshared, target }: Rendering, ports: ReadonlySet<number>): void {
  writer.from(undefined)
  for (const socket of target.reuseport ?? []) {
    const name = listenName(socket)
    if (!ports.has(socket.port) || !unshared.delete(name)) continue
    writer.line('# open only until nginx can open others of this port')
    writer.line('server {')
    writer.line(`${indent}listen ${quote(name)} reuseport;`)
    writer.line(`${indent}return "";`)
    writer.line('}')
  }
}
