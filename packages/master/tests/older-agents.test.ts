import { routes } from '@nxmesh/api/routes'
import { startTestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { expect, test } from 'vitest'
import { until } from './link-harness.ts'
import { connectNative } from './link-native.ts'

/** The release that each of these agents stands for knows what its capability says. */
const capabilities = [5, 6, 7]

test('agents of an older release are not given what they do not know of, and it is told', async () => {
  await using stack = new AsyncDisposableStack()
  const mesh = stack.use(await startTestMaster(stack.use(await scratch()).path))
  const params = { workspace_id: mesh.workspaceId }
  const { client } = mesh
  const upstream = await client.call(routes.createUpstream, { params, body: { name: 'db', servers: [{ address: '10.0.0.1:5432' }] } })
  const stream = await client.call(routes.createStreamHost, { params, body: { name: 'db', listen_port: 5432, upstream_id: upstream.id } })
  const host = { name: 'web', server_name: 'a.test', listen_port: 80 }
  await client.call(routes.createVirtualHost, { params, body: host })
  const own = await client.call(routes.createVirtualHost, {
    params,
    body: { ...host, name: 'own', server_name: 'b.test', listen_addresses: ['127.0.0.1'] },
  })

  const given: Record<string, { names: string[]; findings: string[] }> = {}
  const ids = new Map<number, string>()
  for (const capability of capabilities) {
    const { agent_id, token } = await client.call(routes.createAgentToken, { params, body: { name: `knows ${capability}` } })
    ids.set(capability, agent_id)
    using agent = connectNative(mesh.master.agents.port, mesh.master.ctx.authority.caPem)
    agent.send({ case: 'registration', value: { token, capability } })
    const { virtualHosts, streamHosts } = await agent.next('configUpdate')
    await until('it is registered', async () => (await client.call(routes.getAgent, { params: { agent_id } })).state !== 'offline')
    const { config } = await client.call(routes.getAgent, { params: { agent_id } })
    given[capability] = {
      names: [...virtualHosts, ...streamHosts].map(({ name }) => name),
      findings: config.findings.map(({ kind, field, code }) => `${code} ${kind} ${field}`),
    }
  }
  const addresses = 'agent_too_old virtual_host listen_addresses'
  expect(given).toEqual({
    5: { names: ['web'], findings: [addresses, 'agent_too_old stream_host protocol'] },
    6: { names: ['web', 'db'], findings: [addresses] },
    7: { names: ['web', 'own', 'db'], findings: [] },
  })

  const { data } = await client.call(routes.listFindings, { params, query: { code: 'agent_too_old' } })
  expect(data.map(({ object, agent_ids }) => [object.id, agent_ids])).toEqual([
    [own.id, [ids.get(5), ids.get(6)]],
    [stream.id, [ids.get(5)]],
  ])
})
