import type { AcceptProxyProtocol } from '@nxmesh/model/options/accept-proxy-protocol'
import type { RealIpOptions } from '@nxmesh/model/options/real-ip'
import { line, type OptionLine } from './line.ts'

/** Source: nginx realip module. */
export function realIpLines({ trusted, header, recursive }: RealIpOptions): OptionLine[] {
  const lines = [
    ...trusted.flatMap((address, at) => line(`real_ip.trusted.${at}`, 'set_real_ip_from', address)),
    ...line('real_ip.header', 'real_ip_header', header),
    ...line('real_ip.recursive', 'real_ip_recursive', recursive),
  ]
  return lines.map((each) => ({ ...each, needs: 'realip' as const }))
}

/** Whose word is taken for the client's address in the PROXY protocol. Source: nginx realip module. */
export function proxyProtocolLines({ trusted }: AcceptProxyProtocol): OptionLine[] {
  const field = 'accept_proxy_protocol.trusted'
  const lines = [
    ...trusted.flatMap((address, at) => line(`${field}.${at}`, 'set_real_ip_from', address)),
    ...(trusted.length > 0 ? line(field, 'real_ip_header', 'proxy_protocol') : []),
  ]
  return lines.map((each) => ({ ...each, needs: 'realip' as const }))
}
