import { usedCertificates, usedUpstreams } from '@nxmesh/model/agent-config'
import { found, type LintFinding } from './finding.ts'
import type { LintSubject } from './subject.ts'

const upstream = {
  severity: 'info',
  code: 'unused_upstream',
  source: 'https://nginx.org/en/docs/http/ngx_http_upstream_module.html#upstream',
} as const
const certificate = {
  severity: 'info',
  code: 'unused_certificate',
  source: 'https://nginx.org/en/docs/http/ngx_http_ssl_module.html#ssl_certificate',
} as const

const nobody = 'no location and no stream host sends anything to it'

/** Upstreams that nothing is sent to. */
export function unusedUpstream({ upstreams, ...hosts }: LintSubject): LintFinding[] {
  const used = usedUpstreams(hosts)
  return upstreams
    .filter(({ id }) => !used.has(id))
    .map(({ id, name }) =>
      found(upstream, { kind: 'upstream', id, name }, 'name', nobody, 'use it in a location or a stream host, or delete it'),
    )
}

/** Certificates that no host shows. They are renewed all the same, and their keys are kept. */
export function unusedCertificate({ certificates, ...hosts }: LintSubject): LintFinding[] {
  const used = usedCertificates(hosts)
  const named = new Set([...hosts.virtual_hosts, ...hosts.stream_hosts].flatMap((host) => host.ssl_certificate_id ?? []))
  return certificates
    .filter(({ id }) => !used.has(id))
    .map(({ id, name }) => {
      const reason = named.has(id) ? 'the hosts that name it have ssl_enabled off' : 'no virtual host or stream host uses it'
      return found(certificate, { kind: 'certificate', id, name }, 'domain', reason, 'use it in a host with ssl_enabled, or delete it')
    })
}
