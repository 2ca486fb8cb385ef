import type { AgentConfig } from '@nxmesh/model/agent-config'
import { defaultHttpPort } from '@nxmesh/model/http-port'
import { everyAddress, portOf } from '@nxmesh/model/listen-address'
import { speaksGrpc } from '@nxmesh/model/upstream-protocol'
import { healthOf } from './health-marks.ts'
import { renderCertificates } from './render/certificates.ts'
import { renderChallengeAnswers } from './render/challenges.ts'
import { renderCompanion } from './render/companion.ts'
import { bucketSize } from './render/hash-size.ts'
import { renderHttpHead } from './render/http.ts'
import { planMail, renderMail } from './render/mail.ts'
import { renderMain } from './render/main-conf.ts'
import { renderNamedProxies } from './render/named-proxies.ts'
import { writeShared } from './render/options.ts'
import { addressesAt, type PlannedPort, planPorts, withinShared } from './render/plan.ts'
import type { Rendering } from './render/rendering.ts'
import { type Report, reportOn } from './render/report.ts'
import { renderFallbacks, renderHost, renderKept } from './render/server.ts'
import { placeSettings } from './render/settings.ts'
import { type PlannedStream, planStreams, streamsWithinShared } from './render/stream/plan.ts'
import { renderStream } from './render/stream/stream.ts'
import { folderOf, type Listen, type Rendered, type RenderedFile, type RenderTarget } from './render/target.ts'
import { nameUpstreams, renderUpstream } from './render/upstream.ts'
import { ConfigWriter } from './render/writer.ts'
import { listenName } from './shared-sockets.ts'

/**
 * Renders what an agent must run into the files of one generation. In owned mode `nginx.conf` is what nginx is started with and
 * `test.conf` the same configuration for `nginx -t`; in include mode `http.conf` is for the http block of the host's own
 * nginx.conf. There, no server is made the default of its port: the host may have one, and nginx refuses two.
 */
export function render(config: AgentConfig, target: RenderTarget): Rendered {
  const report: Report = []
  const uses: Rendering['uses'] = new Set()
  const { files, paths } = renderCertificates(config.certificates, target)
  const placed = placeSettings(
    config.settings,
    { target, report, uses },
    config.virtual_hosts.some(({ locations }) => locations.some(speaksGrpc)),
  )
  const planned = planPorts(config, target, paths, report)
  const ports = planned.map((port) => withinShared(port, target))
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
    uses,
    shared: new Map(),
    files: new Map(),
    folder: folderOf(target),
    unshared: new Set(target.reuseport?.map(listenName)),
    ...challenges,
  }
  for (const { modules } of [...ports.flatMap(({ hosts }) => hosts), ...placed.http, ...placed.server])
    for (const module of modules ?? []) rendering.uses.add(module)
  renderHttpHead(rendering, ports)
  renderChallengeAnswers(rendering)
  const streams = streamsWithinShared(planStreams(config, target, { certificates: paths, taken: planned }, report), target, planned)
  const elsewhere = onlyInStreams(config)
  for (const upstream of config.upstreams)
    if (!elsewhere.has(upstream.id))
      renderUpstream(writer, upstream, { name: upstreams.get(upstream.id)!.name, module: 'http' }, target, report)
  renderNamedProxies(rendering, config)
  for (const port of ports) {
    if (target.mode === 'owned') renderFallbacks(rendering, port)
    for (const planned of port.hosts) renderHost(rendering, port, planned)
    for (const companion of port.companions) renderCompanion(rendering, port, companion)
  }
  writeShared(rendering)
  if (target.mode === 'include') reportLongNames(ports, report)
  const writers = new Map([['http.conf', writer]])
  if (streams.length > 0) {
    rendering.uses.add('stream')
    writers.set('stream.conf', renderStream(rendering, config, streams))
  }
  const mail = planMail(config.settings, target, { ports, streams }, report)
  if (mail) {
    rendering.uses.add('mail')
    writers.set('mail.conf', renderMail(target, mail))
  }
  renderKept(rendering)
  if (target.mode === 'owned') {
    writers.set('nginx.conf', renderMain(rendering, config.settings, 'serve'))
    writers.set('test.conf', renderMain(rendering, config.settings, 'test'))
  }
  const texts: RenderedFile[] = [...writers].map(([path, { text }]) => ({ path, text, mode: 0o644 }))
  return {
    files: [...texts, ...files, ...rendering.files.values()],
    sources: (file, line) => writers.get(file)?.sourceOf(line),
    health: healthOf(config, target),
    listens: [...listensOf(ports), ...listensOfStreams(streams), ...(mail?.listens ?? [])].sort((a, b) => a.port - b.port),
    findings: report,
  }
}

function listensOfStreams(streams: readonly PlannedStream[]): Listen[] {
  const onPorts = streams.filter(({ host }) => portOf(host) > 0)
  const byPort = Map.groupBy(onPorts, ({ host }) => `${host.protocol} ${host.listen_port}`)
  return [...byPort.values()].flatMap((hosts): Listen[] => {
    const { listen_port: port, protocol: transport } = hosts[0]!.host
    const addresses = hosts.flatMap((planned) => planned.addresses)
    // Those of datagrams have `reuseport`, and so each its own.
    const sockets = transport === 'tcp' ? socketsOf(addresses) : addresses.map((address) => (address === everyAddress ? {} : { address }))
    return sockets.map((socket) => ({ port, transport, ...socket }))
  })
}

/** The upstreams that stream hosts alone send to. */
function onlyInStreams({ stream_hosts = [], virtual_hosts }: AgentConfig): Set<string> {
  const inStreams = new Set(stream_hosts.flatMap(({ upstream_id }) => upstream_id ?? []))
  for (const { locations } of virtual_hosts) for (const { upstream_id } of locations) inStreams.delete(upstream_id ?? '')
  return inStreams
}

function listensOf(ports: readonly PlannedPort[]): Listen[] {
  return ports.flatMap((port): Listen[] => {
    // Those of unix sockets.
    if (port.port === 0) return []
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
