import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { binaryFacts } from '@nxmesh/agent/binary-facts'
import { dataPaths } from '@nxmesh/agent/durable'
import type { AgentConfig, ConfigUpstream, ConfigVirtualHost } from '@nxmesh/model/agent-config'
import { digestOf } from '@nxmesh/model/digest'
import { render } from '@nxmesh/nginx/render'
import { nginxBinary } from '@nxmesh/testkit/nginx'
import { scratch } from '@nxmesh/testkit/scratch'
import { percentile, rounded, verdict } from './figures.ts'

// One edit among many virtual hosts, from the objects to nginx's own verdict, beside that verdict alone.
const counts = [1000, 10_000]
const rounds = 7

const id = (kind: number, at: number) => `00000000-0000-4000-${8000 + kind}-${String(at).padStart(12, '0')}`
const location = { custom_headers: [], rewrite_rules: [], custom_directives: {} }

const host = (at: number): ConfigVirtualHost => ({
  id: id(0, at),
  name: `Host ${at}`,
  server_name: `host-${at}.test www.host-${at}.test`,
  listen_port: 18_080,
  ssl_enabled: false,
  ssl_certificate_id: null,
  http2_enabled: false,
  http3_enabled: false,
  locations: [
    { ...location, path: '/', upstream_id: id(1, at), custom_headers: [{ name: 'X-Host', value: `${at}`, always: true }] },
    { ...location, path: '/static/', root: '/srv/static' },
    { ...location, path: '~ \\.php$', custom_directives: { return: '404' } },
  ],
  custom_directives: { client_max_body_size: '10m' },
})

const upstream = (at: number): ConfigUpstream => ({
  id: id(1, at),
  name: `Upstream ${at}`,
  algorithm: 'round_robin',
  servers: [1, 2].map((server) => ({
    address: `10.0.${at % 256}.${server}:8080`,
    weight: 1,
    backup: false,
    down: false,
    max_fails: 1,
    fail_timeout: 10,
  })),
  health_check: null,
  keepalive_connections: 16,
})

await using folder = await scratch()
const nginx = nginxBinary()
const facts = await binaryFacts(dataPaths(folder.path))(nginx)
const target = { facts, mode: 'owned', runtime_directory: folder.path, ipv6: false, worker_user: 'root' } as const

for (const count of counts) {
  const config: AgentConfig = {
    virtual_hosts: Array.from({ length: count }, (_, at) => host(at)),
    upstreams: Array.from({ length: count }, (_, at) => upstream(at)),
    certificates: {},
    settings: { nginx_directives: {}, env_vars: {} },
  }
  const times: Record<'digest' | 'render' | 'write' | 'alone', number[]> = { digest: [], render: [], write: [], alone: [] }
  let bytes = 0
  for (let round = 0; round < rounds; round++) {
    config.virtual_hosts[round * 100] = { ...host(round * 100), server_name: `edited-${round}.test` }
    const took = (step: keyof typeof times, since: number) => times[step].push(performance.now() - since)
    let since = performance.now()
    const digest = digestOf(config)
    took('digest', since)
    since = performance.now()
    const { files } = render(config, { ...target, digest })
    took('render', since)
    since = performance.now()
    for (const { path, text } of files) {
      mkdirSync(dirname(join(folder.path, path)), { recursive: true })
      writeFileSync(join(folder.path, path), text)
    }
    took('write', since)
    bytes = files.reduce((sum, { text }) => sum + text.length, 0)
    since = performance.now()
    const verdictOfNginx = spawnSync(nginx, ['-t', '-p', folder.path, '-c', join(folder.path, 'test.conf')], { encoding: 'utf8' })
    took('alone', since)
    if (verdictOfNginx.status !== 0) throw new Error(verdictOfNginx.stderr.slice(0, 1000))
  }
  const [digest, rendering, write, alone] = (['digest', 'render', 'write', 'alone'] as const).map((step) =>
    percentile(times[step], 0.5),
  ) as [number, number, number, number]
  console.log(`${count} virtual hosts, ${(bytes / 1e6).toFixed(1)} MB of configuration, medians of ${rounds}`)
  console.log(
    `  digest ${rounded(digest)} ms, render ${rounded(rendering)} ms (${rounded(bytes / 1000 / rendering)} MB/s), write ${rounded(write)} ms`,
  )
  console.log(`  nginx -t alone ${rounded(alone)} ms`)
  verdict('one edit, rendered and validated, as a multiple of nginx -t alone', (digest + rendering + write + alone) / alone, 1.3, '×')
}
