import { createHash } from 'node:crypto'
import type { StreamOptions } from '@nxmesh/model/options/stream'
import { quote } from '../../quote.ts'
import { accessLines } from '../options/access.ts'
import { line, type OptionLine, secondsLine } from '../options/line.ts'

/** The directives that the typed options of a host are written as; what is counted for it in memory goes by `key`. Source: nginx stream proxy, access, limit_conn and real-ip modules. */
export function streamOptionLines({ proxy = {}, access, limit_conn, accept_proxy_protocol }: StreamOptions, key: string): OptionLine[] {
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
    ...(limit_conn ? limitLines(limit_conn, key) : []),
    ...(accept_proxy_protocol?.trusted ?? []).flatMap((address, at) =>
      line(`accept_proxy_protocol.trusted.${at}`, 'set_real_ip_from', quote(address)),
    ),
  ]
}

// A running nginx keeps a zone by its name, and one of HTTP's limits may not have the same.
function limitLines({ connections, dry_run }: NonNullable<StreamOptions['limit_conn']>, key: string): OptionLine[] {
  const zone = `nxmesh_stream_conn_${createHash('sha256').update(key).digest('hex').slice(0, 16)}`
  return [
    ...line('limit_conn.connections', 'limit_conn', `${zone} ${connections}`, `limit_conn_zone $binary_remote_addr zone=${zone}:10m;`),
    ...line('limit_conn.dry_run', 'limit_conn_dry_run', dry_run),
  ]
}
