import type { AgentConfig, ConfigStreamHost } from '@nxmesh/model/agent-config'
import { passProblem, portProblems } from '../../check-stream.ts'
import { streamAnswers } from '../../stream-directives.ts'
import type { CertificateFiles, CertificatePaths } from '../certificates.ts'
import { type CustomStatements, readCustomDirectives } from '../read-custom.ts'
import { type Report, reportOnStream } from '../report.ts'
import type { Listen, RenderTarget } from '../target.ts'

/** A stream host that can be served. */
export interface PlannedStream {
  host: ConfigStreamHost
  files?: CertificatePaths
  custom: CustomStatements
}

/** Decides which stream hosts can be served; the others are reported as errors and left out. `taken` are the ports of virtual hosts. */
export function planStreams(
  { stream_hosts = [], upstreams }: AgentConfig,
  target: RenderTarget,
  { certificates, taken }: { certificates: CertificateFiles; taken: readonly Listen[] },
  report: Report,
): PlannedStream[] {
  const ports = new Map(taken.map(({ port, transport }) => [`${transport} ${port}`, 'a virtual host']))
  const byId = new Map(upstreams.map((upstream) => [upstream.id, upstream]))
  return stream_hosts.flatMap((host): PlannedStream[] => {
    const custom = readCustomDirectives(host, 'stream_host', (field, message) =>
      reportOnStream(report, 'error', host, field, `is left out: ${message}`),
    )
    const files = certificates.get(host.ssl_certificate_id ?? '')
    const port = `${host.protocol} ${host.listen_port}`
    const obstacle =
      obstacleOnHost(host, target) ??
      (host.ssl_enabled && !files ? { field: 'ssl_certificate_id', reason: 'its certificate is not on this agent' } : undefined) ??
      obstacleOnTheWay(host, host.upstream_id === undefined ? undefined : byId.get(host.upstream_id), custom) ??
      (ports.has(port) ? { field: 'listen_port', reason: `${ports.get(port)} has port ${port.toUpperCase()} already` } : undefined)
    if (obstacle) {
      reportOnStream(report, 'error', host, obstacle.field, `is left out: ${obstacle.reason}`)
      return []
    }
    ports.set(port, `"${host.name}"`)
    return [{ host, custom, ...(host.ssl_enabled && files && { files }) }]
  })
}

interface Obstacle {
  field: string
  reason: string
}

function obstacleOnHost(host: ConfigStreamHost, { mode, facts }: RenderTarget): Obstacle | undefined {
  const { supports, version } = facts
  if (mode === 'include')
    return {
      field: 'protocol',
      reason: "NxMesh is only included in the http block of the host's nginx.conf, where streams cannot stand; let the agent own nginx",
    }
  if (!supports.stream) return { field: 'protocol', reason: `nginx ${version} here has no stream module; Debian's is libnginx-mod-stream` }
  if ((host.ssl_enabled || host.proxy?.ssl) && !supports.stream_ssl)
    return { field: host.ssl_enabled ? 'ssl_enabled' : 'proxy.ssl', reason: `nginx ${version} here is built without TLS for streams` }
  // Rules by address would judge the proxy in the place of its clients.
  if (host.accept_proxy_protocol?.trusted.length && !supports.stream_realip)
    return { field: 'accept_proxy_protocol.trusted', reason: `nginx ${version} here is built without its real-ip module for streams` }
  return undefined
}

function obstacleOnTheWay(
  { upstream_id }: ConfigStreamHost,
  upstream: AgentConfig['upstreams'][number] | undefined,
  { statements }: CustomStatements,
): Obstacle | undefined {
  if (upstream_id === undefined) {
    const answer = statements.find(({ name }) => streamAnswers.has(name))
    if (!answer) return { field: 'upstream_id', reason: 'nothing says where it goes' }
    const reason = passProblem(answer)
    return reason === undefined ? undefined : { field: answer.field, reason: `"${answer.name}" ${reason}` }
  }
  if (!upstream) return { field: 'upstream_id', reason: 'its upstream is not on this agent' }
  const [problem] = portProblems(upstream)
  return problem && { field: 'upstream_id', reason: problem.message }
}
