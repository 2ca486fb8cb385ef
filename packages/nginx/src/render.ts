import type { AgentConfig } from '@nxmesh/model/agent-config'
import { everyAddress } from '@nxmesh/model/listen-address'
import { speaksGrpc } from '@nxmesh/model/options'
import { defaultHttpPort } from '@nxmesh/model/settings'
import { healthOf } from './health-marks.ts'
import { renderCertificates } from './render/certificates.ts'
import { renderChallengeAnswers } from './render/challenges.ts'
import { renderCompanion } from './render/companion.ts'
import { bucketSize } from './render/hash-size.ts'
import { renderHttpHead } from './render/http.ts'
import { renderMain } from './render/main-conf.ts'
import { renderNamedProxies } from './render/named-proxies.ts'
import { writeShared } from './render/options.ts'
import { addressesAt, type PlannedPort, planPorts } from './render/plan.ts'
import type { Rendering } from './render/rendering.ts'
import { type Report, reportOn } from './render/report.ts'
import { renderFallbacks, renderHost } from './render/server.ts'
import { placeSettings } from './render/settings.ts'
import { folderOf, type Listen, type Rendered, type RenderedFile, type RenderTarget } from './render/target.ts'
import { nameUpstreams, renderUpstream } from './render/upstream.ts'
import { ConfigWriter } from './render/writer.ts'

/**
 * Renders what an agent must run into the files of one generation. In owned mode `nginx.conf` is what nginx is started with and
 * `test.conf` the same configuration for `nginx -t`; in include mode `http.conf` is for the http block of the host's own
 * nginx.conf. There, no server is made the default of its port: the host may have one, and nginx refuses two.
 */
export function render(config: AgentConfig, target: RenderTarget): Rendered {
  const report: Report = []
  const { files, paths } = renderCertificates(config.certificates, target)
  const placed = placeSettings(
    config.settings,
    target,
    report,
    config.virtual_hosts.some(({ locations }) => locations.some(speaksGrpc)),
  )
  const ports = planPorts(config, target, paths, report)
  const upstreams = nameUpstreams(config.upstreams)
  const writer = new ConfigWriter()
  const { tls_policy: policy = 'intermediate', http_port = defaultHttpPort } = config.settings
  const thumbprints = config.acme_thumbprints ?? {}
  const challenges = Object.keys(thumbprints).length > 0 ? { challenges: { port: http_port, thumbprints } } : {}
  const rendering: Rendering = {
    target,
    writer,
    report,
    upstreams,
    placed,
    policy,
    httpPort: http_port,
    shared: new Map(),
    files: new Map(),
    folder: folderOf(target),
    ...challenges,
  }
  renderHttpHead(rendering, ports)
  renderChallengeAnswers(rendering)
  for (const upstream of config.upstreams) renderUpstream(writer, upstream, upstreams.get(upstream.id)!.name, target, report)
  renderNamedProxies(rendering, config)
  for (const port of ports) {
    if (target.mode === 'owned') renderFallbacks(rendering, port)
    for (const planned of port.hosts) renderHost(rendering, port, planned)
    for (const companion of port.companions) renderCompanion(rendering, port, companion)
  }
  writeShared(rendering)
  if (target.mode === 'include') reportLongNames(ports, report)
  const writers = new Map([['http.conf', writer]])
  if (target.mode === 'owned') {
    writers.set('nginx.conf', renderMain(target, config.settings, placed, 'serve'))
    writers.set('test.conf', renderMain(target, config.settings, placed, 'test'))
  }
  const texts: RenderedFile[] = [...writers].map(([path, { text }]) => ({ path, text, mode: 0o644 }))
  return {
    files: [...texts, ...files, ...rendering.files.values()],
    sources: (file, line) => writers.get(file)?.sourceOf(line),
    health: healthOf(config, target),
    listens: listensOf(ports),
    findings: report,
  }
}

function listensOf(ports: readonly PlannedPort[]): Listen[] {
  return ports.flatMap((port): Listen[] => {
    const datagrams = port.hosts.filter((planned) => planned.http3)
    return [
      ...socketsOf(addressesAt(port)).map((address) => ({ port: port.port, transport: 'tcp' as const, ...address })),
      ...socketsOf(datagrams.flatMap(({ addresses }) => addresses)).map((address) => ({
        port: port.port,
        transport: 'udp' as const,
        ...address,
      })),
    ]
  })
}

// nginx opens no socket for one address where one takes what comes to all of them.
function socketsOf(addresses: readonly string[]): { address?: string }[] {
  if (addresses.includes(everyAddress)) return [{}]
  return [...new Set(addresses)].map((address) => ({ address }))
}

// nginx's default bucket of 64 bytes holds names of up to 46 characters; the directive may stand only once, so it is the host's to set.
function reportLongNames(ports: ReturnType<typeof planPorts>, report: Report): void {
  for (const { hosts } of ports) {
    for (const { host, names } of hosts) {
      if (!names.some((name) => !name.startsWith('~') && name.length > 46)) continue
      const message = `may need "server_names_hash_bucket_size ${bucketSize(names)};" in the http block of the host's nginx.conf`
      reportOn(report, 'warning', host, 'server_name', message)
    }
  }
}
