import type { Finding } from '@nxmesh/model/agent'
import type { ConfigStreamHost, ConfigUpstream, ConfigVirtualHost } from '@nxmesh/model/agent-config'

export type Report = Finding[]

/** Adds a finding about a virtual host. */
export function reportOn(report: Report, severity: Finding['severity'], host: ConfigVirtualHost, field: string, message: string): void {
  report.push({ severity, message, kind: 'virtual_host', id: host.id, name: host.name, field })
}

/** Adds a finding about a stream host. */
export function reportOnStream(
  report: Report,
  severity: Finding['severity'],
  host: ConfigStreamHost,
  field: string,
  message: string,
): void {
  report.push({ severity, message, kind: 'stream_host', id: host.id, name: host.name, field })
}

/** Adds a finding about an upstream. */
export function reportOnUpstream(
  report: Report,
  severity: Finding['severity'],
  upstream: ConfigUpstream,
  field: string,
  message: string,
): void {
  report.push({ severity, message, kind: 'upstream', id: upstream.id, name: upstream.name, field })
}

/** Adds a finding about the workspace's settings. */
export function reportOnSettings(report: Report, severity: Finding['severity'], field: string, message: string): void {
  report.push({ severity, message, kind: 'settings', field })
}
