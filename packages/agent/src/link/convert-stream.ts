import type { ConfigStreamHost } from '@nxmesh/model/agent-config'
import type { StreamProxyOptions } from '@nxmesh/model/options/stream'
import type { StreamHost, StreamProxyOptions as WireProxy } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { refuseUnknown } from './convert-options.ts'
import { policyOf } from './tls-policy.ts'

/** The stream host that a message spells out. Throws for what this agent does not know: it may keep somebody out. */
export function streamHostOf(host: StreamHost): ConfigStreamHost {
  refuseUnknown(host, `the stream host ${host.name}`)
  const { proxy, access, limitConn, acceptProxyProtocol } = host
  return {
    id: host.id,
    name: host.name,
    protocol: protocolOf(host),
    listen_port: host.listenPort,
    ...(host.listenAddresses.length > 0 && { listen_addresses: [...host.listenAddresses] }),
    ...(host.upstreamId && { upstream_id: host.upstreamId }),
    ssl_enabled: host.sslEnabled,
    ssl_certificate_id: host.sslCertificateId || null,
    ...(host.tlsPolicy && { tls_policy: policyOf(host.tlsPolicy) }),
    ...(proxy && { proxy: proxyOf(proxy) }),
    ...(access && { access: { rules: access.rules.map(({ action, address }) => ({ action: actionOf(action), address })) } }),
    ...(limitConn && { limit_conn: { connections: limitConn.connections, dry_run: limitConn.dryRun } }),
    ...(acceptProxyProtocol && { accept_proxy_protocol: { trusted: [...acceptProxyProtocol.trusted] } }),
    custom_directives: { ...host.customDirectives },
    ...(host.extraDirectives.length > 0 && { extra_directives: [...host.extraDirectives] }),
  }
}

function proxyOf(proxy: WireProxy): StreamProxyOptions {
  const { connectTimeout, timeout, uploadRate, downloadRate, requests, responses, sendProxyProtocol, ssl, sslName } = proxy
  return {
    ...(connectTimeout !== undefined && { connect_timeout: connectTimeout }),
    ...(timeout !== undefined && { timeout }),
    ...(uploadRate !== undefined && { upload_rate: uploadRate }),
    ...(downloadRate !== undefined && { download_rate: downloadRate }),
    ...(requests !== undefined && { requests }),
    ...(responses !== undefined && { responses }),
    ...(sendProxyProtocol !== undefined && { send_proxy_protocol: sendProxyProtocol }),
    ...(ssl !== undefined && { ssl }),
    ...(sslName !== undefined && { ssl_name: sslName }),
  }
}

function protocolOf({ name, protocol }: StreamHost): ConfigStreamHost['protocol'] {
  if (protocol === 'tcp' || protocol === 'udp') return protocol
  throw new Error(`the protocol "${protocol}" of the stream host ${name} is not known to this agent`)
}

function actionOf(action: string): 'allow' | 'deny' {
  if (action === 'allow' || action === 'deny') return action
  throw new Error(`the action "${action}" of an access rule is not known to this agent`)
}
