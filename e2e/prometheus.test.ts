import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import { signIn } from '@nxmesh/testkit/master'
import { isSettled } from '@nxmesh/testkit/mesh'
import { killNginx, nginxBinary } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import { startAgentProgram, startMasterProgram } from '@nxmesh/testkit/programs'
import { type Prometheus, promtool, startPrometheus } from '@nxmesh/testkit/prometheus'
import { requestTimes } from '@nxmesh/testkit/requests'
import { scratch } from '@nxmesh/testkit/scratch'
import { addHost } from '@nxmesh/testkit/traffic'
import { until } from '@nxmesh/testkit/until'
import { describe, expect, test } from 'vitest'

const deploy = new URL('../deploy/', import.meta.url).pathname
const prometheusFolder = join(deploy, 'prometheus')
const token = 'the token of prometheus'
const env = { NXMESH_TEST_TELEMETRY: JSON.stringify({ lookEvery: 50, measureEvery: 100 }) }

// There may be none of these in a small fleet where all is well.
const mayBeEmpty =
  /^topk\(10, sum by \(virtual_host\) .*5xx|nxmesh_alert_active|nxmesh_upstream_server_up|unless|nxmesh_otlp|nxmesh_notification_attempts/

describe('what is in deploy', () => {
  test('the rules are good, and each fires when it should and not when it should not', async () => {
    const rules = join(prometheusFolder, 'nxmesh-alerts.yml')
    expect(await promtool(['check', 'rules', rules])).toContain('SUCCESS')
    const tests = join(prometheusFolder, 'nxmesh-alerts.test.yml')
    expect(await promtool(['test', 'rules', tests])).toContain('SUCCESS')
    const tested = new Set([...(await readFile(tests, 'utf8')).matchAll(/alertname: (\w+)/g)].map(([, name]) => name))
    const written = [...(await readFile(rules, 'utf8')).matchAll(/- alert: (\w+)/g)].map(([, name]) => name)
    expect(written.filter((name) => !tested.has(name))).toEqual([])
  })
})

test('a real Prometheus reads what real agents serve, through kills, and the dashboards find it there', async () => {
  await using stack = new AsyncDisposableStack()
  const directory = stack.use(await scratch()).path
  const ports = { http: await freePort(), agents: await freePort() }
  const startMaster = () => startMasterProgram(join(directory, 'master'), ports, ['--metrics-token', token])
  let master = await startMaster()
  stack.defer(() => master.end('SIGKILL'))
  const address = `127.0.0.1:${ports.http}`
  const client = await signIn(`http://${address}`)
  const organization = (await client.call(routes.listOrganizations, {})).data[0]!
  const workspaceId = (await client.call(routes.listWorkspaces, { params: { organization_id: organization.id } })).data[0]!.id
  const made = await client.call(routes.createAgentToken, { params: { workspace_id: workspaceId }, body: { name: 'web "1"' } })
  const params = { agent_id: made.agent_id }
  const dataDir = join(directory, 'agent')
  const common = { dataDir, nginx: nginxBinary(), labels: {}, mode: 'owned', deploymentMode: 'standalone' } as const
  const startAgent = () => startAgentProgram({ ...common, master: `127.0.0.1:${ports.agents}`, token: made.token }, { env })
  stack.defer(() => killNginx(dataDir))
  let agent = await startAgent()
  stack.defer(() => agent.end('SIGKILL'))
  const host = await addHost({ client, workspaceId }, 'watched')
  const settled = () => until('the agent to serve', async () => isSettled(await client.call(routes.getAgent, { params })))
  await settled()

  const prometheus = stack.use(await startPrometheus(prometheusFolder, join(directory, 'prometheus'), { master: address, token }))
  const valueOf = async (promql: string) => (await prometheus.query(promql))[0]?.value
  await until('both jobs to be read', async () => JSON.stringify(await prometheus.targets()).match(/"up"/g)?.length === 2)

  let sent = 0
  const serve = async (times: number) => {
    const paths = ['/', '/gone', '/broken']
    await requestTimes(host.port, host.name, times, (index) => paths[index % 3]!)
    sent += times
  }
  const counted = () => until(`${sent} requests in Prometheus`, async () => (await valueOf('sum(nginx_http_requests_total)')) === sent)
  await serve(300)
  await counted()
  await agent.end('SIGKILL')
  await serve(300)
  agent = await startAgent()
  await counted()
  await master.end('SIGKILL')
  await serve(300)
  master = await startMaster()
  await settled()
  await counted()
  expect(await valueOf('sum(nginx_http_requests_total{status_class="5xx"})')).toBe(sent / 3)
  expect(await valueOf('sum(nginx_http_request_duration_seconds_count)')).toBe(sent)
  expect(await valueOf('sum(nginx_http_request_duration_seconds_bucket{le="+Inf"})')).toBe(sent)
  for (const name of ['requests_total', 'response_bytes_total', 'request_duration_seconds_bucket', 'request_duration_seconds_count']) {
    expect(await valueOf(`max(resets(nginx_http_${name}[1h]))`)).toBe(0)
  }
  const [up] = await prometheus.query('nginx_up')
  expect(up).toMatchObject({ labels: { agent: 'web "1"', agent_id: made.agent_id, workspace_id: workspaceId }, value: 1 })

  for (const path of ['/metrics', '/metrics/fleet']) {
    const text = await (await fetch(`http://${address}${path}`, { headers: { authorization: `Bearer ${token}` } })).text()
    expect(text).toContain('# TYPE')
    expect(await promtool(['check', 'metrics'], text)).toBe('')
  }
  await findEverything(prometheus)

  await agent.end('SIGKILL')
  await until('the rule to see it', async () => (await prometheus.alerts()).includes('NxMeshAgentOffline'))
  await client.call(routes.deleteAgent, { params })
  // What a rule has found in the last minutes, as a busy processor, is not the agent's own.
  const own = `{agent_id="${made.agent_id}", __name__!~"ALERTS.*"}`
  await until('the agent to be gone', async () => (await prometheus.query(own)).length === 0)
}, 180_000)

/** Asks every question of the dashboards: none is refused, and none finds nothing where there is something. */
async function findEverything(prometheus: Prometheus): Promise<void> {
  const folder = join(deploy, 'grafana')
  for (const name of await readdir(folder)) {
    const { panels } = JSON.parse(await readFile(join(folder, name), 'utf8')) as { panels: { targets?: { expr: string }[] }[] }
    for (const { expr } of panels.flatMap(({ targets = [] }) => targets)) {
      const asked = expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$\w+/g, '.*')
      const found = await prometheus.query(asked)
      if (!mayBeEmpty.test(asked)) expect(found.length, asked).toBeGreaterThan(0)
    }
  }
}
