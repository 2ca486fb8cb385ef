import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Finding } from '@nxmesh/model/agent'
import type { AgentConfig, ConfigCertificate } from '@nxmesh/model/agent-config'

/** What is wrong with the certificates that hosts use. nginx does not compare keys of different kinds: every handshake would fail, and nothing said why. */
export function certificateFindings({
  certificates,
  virtual_hosts,
  stream_hosts = [],
}: Pick<AgentConfig, 'certificates' | 'virtual_hosts' | 'stream_hosts'>): Finding[] {
  const troubles = new Map<string, string | undefined>()
  const hosts = [
    ...virtual_hosts.map((host) => ({ kind: 'virtual_host' as const, host })),
    ...stream_hosts.map((host) => ({ kind: 'stream_host' as const, host })),
  ]
  return hosts.flatMap(({ kind, host: { id, name, ssl_enabled, ssl_certificate_id } }): Finding[] => {
    const certificate = ssl_enabled && ssl_certificate_id !== null ? certificates[ssl_certificate_id] : undefined
    // A host whose certificate is still to come is left out when the config is rendered.
    if (!certificate || certificate.certificate_pem === '' || certificate.private_key_pem === '') return []
    if (!troubles.has(certificate.id)) troubles.set(certificate.id, troubleOf(certificate))
    const message = troubles.get(certificate.id)
    return message === undefined ? [] : [{ severity: 'error', message, kind, id, name, field: 'ssl_certificate_id' }]
  })
}

function troubleOf({ certificate_pem, private_key_pem, domain }: ConfigCertificate): string | undefined {
  const leaf = read(() => new X509Certificate(certificate_pem))
  if (!leaf) return `the certificate for ${domain} cannot be read`
  const key = read(() => createPrivateKey(private_key_pem))
  if (!key) return `the private key for ${domain} cannot be read, or is encrypted`
  return leaf.checkPrivateKey(key) ? undefined : `the private key for ${domain} does not belong to the first certificate of its chain`
}

function read<T>(attempt: () => T): T | undefined {
  try {
    return attempt()
  } catch {
    return undefined
  }
}
