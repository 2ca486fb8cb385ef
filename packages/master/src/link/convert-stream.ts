import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ConfigStreamHost } from '@nxmesh/model/agent-config'
import { streamHostInput } from '@nxmesh/model/stream-host'
import type { StreamHost, StreamHostSchema, StreamProxyOptions } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'

/** Spells a stream host out in its message: what is absent or null becomes the empty string or no message. */
export function toStreamHost(host: ConfigStreamHost): MessageInitShape<typeof StreamHostSchema> {
  const { proxy, access, limit_conn, accept_proxy_protocol } = host
  return {
    id: host.id,
    name: host.name,
    protocol: host.protocol,
    listenPort: host.listen_port,
    listenAddresses: host.listen_addresses ?? [],
    upstreamId: host.upstream_id ?? '',
    sslEnabled: host.ssl_enabled,
    sslCertificateId: host.ssl_certificate_id ?? '',
    tlsPolicy: host.tls_policy ?? '',
    ...(proxy && { proxy: toProxy(proxy) }),
    ...(access && { access }),
    ...(limit_conn && { limitConn: { connections: limit_conn.connections, dryRun: limit_conn.dry_run } }),
    ...(accept_proxy_protocol && { acceptProxyProtocol: accept_proxy_protocol }),
    customDirectives: host.custom_directives,
    extraDirectives: host.extra_directives ?? [],
  }
}

function toProxy(proxy: NonNullable<ConfigStreamHost['proxy']>) {
  const { connect_timeout, timeout, upload_rate, download_rate, requests, responses, send_proxy_protocol, ssl, ssl_name } = proxy
  return withoutUndefined({
    connectTimeout: connect_timeout,
    timeout,
    uploadRate: upload_rate,
    downloadRate: download_rate,
    requests,
    responses,
    sendProxyProtocol: send_proxy_protocol,
    ssl,
    sslName: ssl_name,
  })
}

/** The inverse of toStreamHost; throws where the message holds what no stream host can. */
export function fromStreamHost(host: StreamHost): ConfigStreamHost {
  const { id, proxy, access, limitConn, acceptProxyProtocol } = host
  const { target_agents: _target, ...content } = streamHostInput.parse({
    name: host.name,
    protocol: host.protocol,
    listen_port: host.listenPort,
    ...(host.listenAddresses.length === 0 ? {} : { listen_addresses: host.listenAddresses }),
    ...(host.upstreamId === '' ? {} : { upstream_id: host.upstreamId }),
    ssl_enabled: host.sslEnabled,
    ssl_certificate_id: host.sslCertificateId === '' ? null : host.sslCertificateId,
    ...(host.tlsPolicy === '' ? {} : { tls_policy: host.tlsPolicy }),
    ...(proxy && { proxy: fromProxy(proxy) }),
    ...(access && { access: { rules: access.rules.map(({ action, address }) => ({ action, address })) } }),
    ...(limitConn && { limit_conn: { connections: limitConn.connections, dry_run: limitConn.dryRun } }),
    ...(acceptProxyProtocol && { accept_proxy_protocol: { trusted: acceptProxyProtocol.trusted } }),
    custom_directives: host.customDirectives,
    ...(host.extraDirectives.length === 0 ? {} : { extra_directives: host.extraDirectives }),
  })
  return { id, ...content }
}

function fromProxy(proxy: StreamProxyOptions) {
  return withoutUndefined({
    connect_timeout: proxy.connectTimeout,
    timeout: proxy.timeout,
    upload_rate: proxy.uploadRate,
    download_rate: proxy.downloadRate,
    requests: proxy.requests,
    responses: proxy.responses,
    send_proxy_protocol: proxy.sendProxyProtocol,
    ssl: proxy.ssl,
    ssl_name: proxy.sslName,
  })
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function withoutUndefined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>
}
