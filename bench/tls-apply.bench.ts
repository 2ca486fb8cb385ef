import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { type Agent, startAgent } from '@nxmesh/agent/start'
import type { AgentConfig, ConfigCertificate, ConfigVirtualHost } from '@nxmesh/model/agent-config'
import { digestOf } from '@nxmesh/model/digest'
import { selfSignedServer } from '@nxmesh/testkit/certificates'
import { killNginx, nginxBinary } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { percentile } from './figures.ts'

// What TLS adds to the apply of a config: 1,000 virtual hosts, each with an EC certificate of its own, beside the same hosts without.
const count = 1000
const rounds = 5
const nginx = nginxBinary()

const id = (kind: number, at: number) => `00000000-0000-4000-${8000 + kind}-${String(at).padStart(12, '0')}`
const certificates: Record<string, ConfigCertificate> = {}
for (let at = 0; at < count; at++) {
  const domain = `host-${at}.test`
  const { certPem, keyPem } = await selfSignedServer([domain])
  certificates[id(1, at)] = { id: id(1, at), domain, certificate_pem: certPem, private_key_pem: keyPem, expires_at: 0 }
}
const ports = { plain: await freePort(), tls: await freePort() }
const hosts = (kind: 'plain' | 'tls', text: string): ConfigVirtualHost[] =>
  Array.from({ length: count }, (_, at) => ({
    id: id(0, at),
    name: `Host ${at}`,
    server_name: `host-${at}.test`,
    listen_port: ports[kind],
    ssl_enabled: kind === 'tls',
    ssl_certificate_id: kind === 'tls' ? id(1, at) : null,
    http2_enabled: false,
    http3_enabled: false,
    locations: [{ path: '/', custom_headers: [], rewrite_rules: [], custom_directives: { return: `200 ${at === 0 ? text : at}` } }],
    custom_directives: {},
  }))

let version = 0
async function applyTime(agent: Agent, kind: 'plain' | 'tls'): Promise<number> {
  const config: AgentConfig = {
    virtual_hosts: hosts(kind, `v${++version}`),
    upstreams: [],
    certificates: kind === 'tls' ? certificates : {},
    settings: { nginx_directives: {}, env_vars: {} },
  }
  const digest = digestOf(config)
  const began = performance.now()
  agent.offer({ version, digest, config_id: `${version}`, config })
  await until('it is applied', () => agent.state.good?.digest === digest, 120)
  return performance.now() - began
}

const times: Record<'plain' | 'tls', number[]> = { plain: [], tls: [] }
const kinds = ['plain', 'tls'] as const
await using cleanUp = new AsyncDisposableStack()
const agents = new Map<(typeof kinds)[number], { agent: Agent; dataDir: string }>()
for (const kind of kinds) {
  const { path: dataDir } = cleanUp.use(await scratch())
  cleanUp.defer(() => killNginx(dataDir))
  const agent = await startAgent({ dataDir, nginx, mode: 'owned', labels: {}, deploymentMode: 'standalone' })
  agents.set(kind, { agent: cleanUp.use(agent), dataDir })
  // The first apply opens the port.
  await applyTime(agent, kind)
}
// In turns, so that what else the machine does falls on both alike.
const alone: typeof times = { plain: [], tls: [] }
for (let round = 0; round < rounds; round++) {
  for (const [kind, { agent, dataDir }] of agents) {
    times[kind].push(await applyTime(agent, kind))
    const began = performance.now()
    const test = spawnSync(nginx, ['-t', '-p', join(dataDir, 'runtime'), '-c', join(dataDir, 'current', 'test.conf')], { encoding: 'utf8' })
    if (test.status !== 0) throw new Error(test.stderr.slice(0, 1000))
    alone[kind].push(performance.now() - began)
  }
}
const shown = (samples: number[]) =>
  samples
    .toSorted((a, b) => a - b)
    .map((ms) => ms.toFixed(0))
    .join(', ')
for (const kind of kinds) console.log(`${count} hosts, ${kind}: apply ${shown(times[kind])} ms; nginx -t alone ${shown(alone[kind])} ms`)
for (const kind of kinds)
  console.log(`  ${kind}, medians: ${(percentile(times[kind], 0.5) / percentile(alone[kind], 0.5)).toFixed(1)} times nginx -t alone`)
