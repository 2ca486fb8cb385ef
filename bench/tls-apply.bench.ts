import { type Agent, startAgent } from '@nxmesh/agent/start'
import type { AgentConfig, ConfigCertificate, ConfigVirtualHost } from '@nxmesh/model/agent-config'
import { digestOf } from '@nxmesh/model/digest'
import { selfSignedServer } from '@nxmesh/testkit/certificates'
import { killNginx } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'

// What TLS adds to the apply of a config: 1,000 virtual hosts, each with an EC certificate of its own, beside the same hosts without.
const count = 1000
const rounds = 5

const id = (kind: number, at: number) => `00000000-0000-4000-${8000 + kind}-${String(at).padStart(12, '0')}`
const certificates: Record<string, ConfigCertificate> = {}
for (let at = 0; at < count; at++) {
  const domain = `host-${at}.test`
  const { certPem, keyPem } = await selfSignedServer([domain])
  certificates[id(1, at)] = { id: id(1, at), domain, certificate_pem: certPem, private_key_pem: keyPem, expires_at: 0 }
}
const port = await freePort()
const hosts = (tls: boolean, text: string): ConfigVirtualHost[] =>
  Array.from({ length: count }, (_, at) => ({
    id: id(0, at),
    name: `Host ${at}`,
    server_name: `host-${at}.test`,
    listen_port: port,
    ssl_enabled: tls,
    ssl_certificate_id: tls ? id(1, at) : null,
    http2_enabled: false,
    http3_enabled: false,
    locations: [{ path: '/', custom_headers: [], rewrite_rules: [], custom_directives: { return: `200 ${at === 0 ? text : at}` } }],
    custom_directives: {},
  }))

let version = 0
async function applyTime(agent: Agent, tls: boolean): Promise<number> {
  const config: AgentConfig = {
    virtual_hosts: hosts(tls, `v${++version}`),
    upstreams: [],
    certificates: tls ? certificates : {},
    settings: { nginx_directives: {}, env_vars: {} },
  }
  const digest = digestOf(config)
  const began = performance.now()
  agent.offer({ version, digest, config_id: `${version}`, config })
  await until('it is applied', () => agent.state.good?.digest === digest, 120)
  return performance.now() - began
}

const times: Record<'plain' | 'tls', number[]> = { plain: [], tls: [] }
for (const kind of ['plain', 'tls'] as const) {
  await using directory = await scratch()
  await using cleanUp = new AsyncDisposableStack()
  cleanUp.defer(() => killNginx(directory.path))
  await using agent = await startAgent({
    dataDir: directory.path,
    nginx: '/usr/sbin/nginx',
    mode: 'owned',
    labels: {},
    deploymentMode: 'standalone',
  })
  // The first apply opens the port.
  await applyTime(agent, kind === 'tls')
  for (let round = 0; round < rounds; round++) times[kind].push(await applyTime(agent, kind === 'tls'))
}
for (const kind of ['plain', 'tls'] as const)
  console.log(
    `${count} hosts, ${kind}: apply ${times[kind]
      .map((ms) => ms.toFixed(0))
      .toSorted((a, b) => Number(a) - Number(b))
      .join(', ')} ms`,
  )
