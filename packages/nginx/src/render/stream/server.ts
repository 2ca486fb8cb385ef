import { createHash } from 'node:crypto'
import type { ConfigStreamHost } from '@nxmesh/model/agent-config'
import { quote } from '../../quote.ts'
import { commented } from '../comment.ts'
import { accessLines } from '../options/access.ts'
import { line, type OptionLine, secondsLine } from '../options/line.ts'
import type { Rendering } from '../rendering.ts'
import { listen } from '../server.ts'
import { writeTlsPolicy } from '../tls.ts'
import type { PlannedStream } from './plan.ts'

const indent = '    '

/** Writes the server of one stream host; `blocks` are the names of upstreams by their ids. */
export function renderStreamServer(
  rendering: Rendering,
  { host, files, custom }: PlannedStream,
  blocks: ReadonlyMap<string, string>,
): void {
  const { writer, policy } = rendering
  const source = { kind: 'stream_host', id: host.id, name: host.name } as const
  const isSet = (name: string) => custom.names.has(name)
  writer.from(source)
  writer.line(`# stream host ${commented(host.name)}, ${commented(host.id)}`)
  const options = optionLines(host).filter(({ name }) => !isSet(name))
  for (const { shared, field } of options) {
    if (shared === undefined) continue
    writer.from({ ...source, field })
    writer.line(shared)
  }
  writer.from(source)
  writer.line('server {')
  writer.from({ ...source, field: 'listen_port' })
  const how = [host.protocol === 'udp' ? ' udp' : '', files ? ' ssl' : '', host.accept_proxy_protocol ? ' proxy_protocol' : '']
  listen(rendering, host.listen_port, how.join(''))
  if (files) {
    writer.from({ ...source, field: 'ssl_certificate_id' })
    writer.line(`${indent}ssl_certificate ${quote(files.certificate)};`)
    writer.line(`${indent}ssl_certificate_key ${quote(files.key)};`)
    writer.from({ ...source, field: 'tls_policy' })
    writeTlsPolicy(writer, host.tls_policy ?? policy, isSet, indent)
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
    // Two ways to go would be no way: nginx refuses the second.
    if (name === 'proxy_pass' && host.upstream_id !== undefined) continue
    writer.from({ ...source, field })
    writer.lines(indent + text)
  }
  writer.from(source)
  writer.line('}')
}

/** The directives that the typed options of a host are written as. Source: nginx stream proxy, access, limit_conn and real-ip modules. */
function optionLines({ id, proxy = {}, access, limit_conn, accept_proxy_protocol }: ConfigStreamHost): OptionLine[] {
  const word = (value: string | undefined) => (value === undefined ? undefined : quote(value))
  return [
    ...secondsLine('proxy.connect_timeout', 'proxy_connect_timeout', proxy.connect_timeout),
    ...secondsLine('proxy.timeout', 'proxy_timeout', proxy.timeout),
    ...line('proxy.upload_rate', 'proxy_upload_rate', word(proxy.upload_rate)),
    ...line('proxy.download_rate', 'proxy_download_rate', word(proxy.download_rate)),
    ...line('proxy.requests', 'proxy_requests', proxy.requests),
    ...line('proxy.responses', 'proxy_responses', proxy.responses),
    ...line('proxy.send_proxy_protocol', 'proxy_protocol', proxy.send_proxy_protocol),
    ...line('proxy.ssl', 'proxy_ssl', proxy.ssl),
    ...line('proxy.ssl_name', 'proxy_ssl_name', word(proxy.ssl_name)),
    ...line('proxy.ssl_name', 'proxy_ssl_server_name', proxy.ssl_name === undefined ? undefined : 'on'),
    ...(access ? accessLines(access) : []),
    ...(limit_conn ? limitLines(limit_conn, id) : []),
    ...(accept_proxy_protocol?.trusted ?? []).flatMap((address, at) =>
      line(`accept_proxy_protocol.trusted.${at}`, 'set_real_ip_from', quote(address)),
    ),
  ]
}

// A running nginx keeps a zone by its name, and one of HTTP's limits may not have the same.
function limitLines({ connections, dry_run }: NonNullable<ConfigStreamHost['limit_conn']>, id: string): OptionLine[] {
  const zone = `nxmesh_stream_conn_${createHash('sha256').update(id).digest('hex').slice(0, 16)}`
  return [
    ...line('limit_conn.connections', 'limit_conn', `${zone} ${connections}`, `limit_conn_zone $binary_remote_addr zone=${zone}:10m;`),
    ...line('limit_conn.dry_run', 'limit_conn_dry_run', dry_run),
  ]
}
