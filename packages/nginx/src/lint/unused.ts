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

/** Upstreams that no location passes requests to. */
export function unusedUpstream({ upstreams, virtual_hosts }: LintSubject): LintFinding[] {
  const used = new Set(virtual_hosts.flatMap(({ locations }) => locations.flatMap(({ upstream_id }) => upstream_id ?? [])))
  return upstreams
    .filter(({ id }) => !used.has(id))
    .map(({ id, name }) =>
      found(upstream, { kind: 'upstream', id, name }, 'name', 'no location passes requests to it', 'use it in a location, or delete it'),
    )
}

/** Certificates that no virtual host shows. They are renewed all the same, and their keys are kept. */
export function unusedCertificate({ certificates, virtual_hosts }: LintSubject): LintFinding[] {
  const used = new Set(virtual_hosts.flatMap((host) => (host.ssl_enabled ? (host.ssl_certificate_id ?? []) : [])))
  const named = new Set(virtual_hosts.flatMap((host) => host.ssl_certificate_id ?? []))
  return certificates
    .filter(({ id }) => !used.has(id))
    .map(({ id, name }) => {
      const reason = named.has(id) ? 'the virtual hosts that name it have ssl_enabled off' : 'no virtual host uses it'
      return found(
        certificate,
        { kind: 'certificate', id, name },
        'domain',
        reason,
        'use it in a virtual host with ssl_enabled, or delete it',
      )
    })
}
