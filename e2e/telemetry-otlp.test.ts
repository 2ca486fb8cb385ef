import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import { signIn } from '@nxmesh/testkit/master'
import { isSettled } from '@nxmesh/testkit/mesh'
import { killNginx, nginxBinary } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import { startAgentProgram, startMasterProgram } from '@nxmesh/testkit/programs'
import { requestTimes } from '@nxmesh/testkit/requests'
import { scratch } from '@nxmesh/testkit/scratch'
import { addHost, arrived, each, linesOf } from '@nxmesh/testkit/traffic'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'
import { startReceiver } from '../packages/master/tests/otlp/receiver.ts'

const env = { NXMESH_TEST_TELEMETRY: JSON.stringify({ lookEvery: 50, measureEvery: 100 }) }

test('each request of a real nginx is exported, whatever the receiver does and whenever the master is killed', async () => {
  await using stack = new AsyncDisposableStack()
  const directory = stack.use(await scratch()).path
  const [http, agents, otlp] = [await freePort(), await freePort(), await freePort()]
  const settings = ['--otlp-endpoint', `http://127.0.0.1:${otlp}`]
  const startMaster = () => startMasterProgram(join(directory, 'master'), { http, agents }, settings)
  let master = await startMaster()
  stack.defer(() => master.end('SIGKILL'))
  const client = await signIn(`http://127.0.0.1:${http}`)
  const organization = (await client.call(routes.listOrganizations, {})).data[0]!
  const workspaceId = (await client.call(routes.listWorkspaces, { params: { organization_id: organization.id } })).data[0]!.id
  const place = { client, workspaceId }
  const made = await client.call(routes.createAgentToken, { params: { workspace_id: workspaceId }, body: { name: 'exported' } })
  const dataDir = join(directory, 'agent')
  stack.defer(() => killNginx(dataDir))
  const common = { dataDir, nginx: nginxBinary(), labels: {}, mode: 'owned', deploymentMode: 'standalone' } as const
  stack.use(await startAgentProgram({ ...common, master: `127.0.0.1:${agents}`, token: made.token }, { env }))
  const host = await addHost(place, 'exported')
  const params = { agent_id: made.agent_id }
  const settled = () => until('the agent to serve', async () => isSettled(await client.call(routes.getAgent, { params })))
  await settled()

  let sent = 0
  const serve = async (times: number) => {
    const paths = ['/?round', '/gone', '/broken']
    await requestTimes(host.port, host.name, times, (index) => `${paths[index % 3]}${sent + index}`)
    sent += times
    expect(await arrived(place, sent)).toEqual(each(sent))
  }
  // Nobody is there to receive it.
  await serve(300)
  await using receiver = await startReceiver(otlp)
  const different = () => new Set(receiver.logs.filter(({ attributes }) => attributes['nxmesh.log'] === 'access').map(idOf)).size
  const everything = () => until('every request to be exported', () => different() >= sent)
  await everything()

  receiver.behave({ status: 503 })
  await serve(300)
  await until('a request that fails', () => receiver.requests.at(-1)?.logs.length)
  await master.end('SIGKILL')
  master = await startMaster()
  await settled()
  receiver.behave({ status: 200 })
  await everything()

  receiver.behave('hang')
  const before = receiver.requests.length
  await serve(300)
  await until('a request that hangs', () => receiver.requests.length > before)
  await master.end('SIGKILL')
  receiver.behave({ status: 200 })
  master = await startMaster()
  await settled()
  await serve(300)
  await everything()

  expect(receiver.problems).toEqual([])
  const lines = await linesOf(place)
  const exported = new Map(receiver.logs.map((log) => [idOf(log), log]))
  for (const line of lines) {
    const log = exported.get(line.request_id!)!
    expect(log.resource).toMatchObject({ 'nxmesh.agent.id': made.agent_id, 'host.name': expect.any(String) })
    expect(log.record.timeUnixNano).toBe(BigInt(Date.parse(line.timestamp)) * 1_000_000n)
    expect(log.attributes).toMatchObject({
      'log.record.uid': line.id,
      'http.response.status_code': line.status,
      'url.path': line.uri!.split('?')[0],
      'server.address': host.name,
      'client.address': '127.0.0.1',
      'nxmesh.virtual_host_id': host.id,
    })
  }
  expect(different()).toBe(sent)
  await until('all of them to be counted', () => countsOf(receiver.points).every((count) => count === sent))
}, 180_000)

type Log = Awaited<ReturnType<typeof startReceiver>>['logs'][number]
type Point = Awaited<ReturnType<typeof startReceiver>>['points'][number]

function idOf({ attributes }: Log): string {
  return String(attributes['nxmesh.request_id'])
}

/** The requests there have been by the last points of the counters, and by those of the histogram. */
function countsOf(points: Point[]): [number, number] {
  const latest = new Map<string, Point>()
  for (const point of points) {
    const key = `${point.metric.name} ${JSON.stringify(point.attributes)}`
    const known = latest.get(key)
    if (!known || known.point.timeUnixNano <= point.point.timeUnixNano) latest.set(key, point)
  }
  let [requests, observations] = [0, 0]
  for (const { metric, point } of latest.values()) {
    if ('bucketCounts' in point) observations += Number(point.count)
    else if (metric.name === 'nginx_http_requests_total') requests += Number(point.value.value)
  }
  return [requests, observations]
}
