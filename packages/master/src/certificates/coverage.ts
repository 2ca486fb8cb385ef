import { uncovered } from '@nxmesh/model/certificate-name'
import type { Problem } from '@nxmesh/model/problem'
import { parseServerNames } from '@nxmesh/model/server-name'
import type { VirtualHost } from '@nxmesh/model/virtual-host'

/** The names of a virtual host that the certificate it is to have is not for. */
export function coverageProblems(
  certificate: { name: string; names: string[] },
  host: Pick<VirtualHost, 'server_name' | 'ssl_enabled'>,
): Problem[] {
  const missing = host.ssl_enabled ? uncoveredOf(host, certificate.names) : []
  if (missing.length === 0) return []
  const message = `the certificate "${certificate.name}" is not for ${missing.join(', ')}, but for ${certificate.names.join(', ')}`
  return [{ field: 'ssl_certificate_id', message, code: 'INVALID_VALUE' }]
}

/** The names of a virtual host that a certificate with these names is not for. */
export function uncoveredOf({ server_name }: Pick<VirtualHost, 'server_name'>, names: readonly string[]): string[] {
  const parsed = parseServerNames(server_name)
  return parsed.ok ? uncovered(parsed.names, names) : []
}
