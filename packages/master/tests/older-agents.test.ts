import { routes } from '@nxmesh/api/routes'
import { startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { expect, test } from 'vitest'
import { until } from './link-harness.ts'
import { connectNative } from './link-native.ts'

/** The release that each of these agents stands for knows what its capability says; 0 is one written from the published contract alone. */
const capabilities = [0, 5, 6, 7, 8, 9, 10]
const host = { name: 'web', server_name: 'a.test', listen_port: 80 }

test('agents of an older release are not given what they do not know of, and it is told', async () => {
  await using stack = new AsyncDisposableStack()
  const mesh = stack.use(await startTestMaster(stack.use(await scratch()).path))
  const params = { workspace_id: mesh.workspaceId }
  const { client } = mesh
  const upstream = await client.call(routes.createUpstream, { params, body: { name: 'db', servers: [{ address: '10.0.0.1:5432' }] } })
  const stream = await client.call(routes.createStreamHost, { params, body: { name: 'db', listen_port: 5432, upstream_id: upstream.id } })
  const near = await client.call(routes.createStreamHost, {
    params,
    body: { name: 'near', listen_port: 5433, listen_addresses: ['127.0.0.1'], upstream_id: upstream.id },
  })
  const socket = await client.call(routes.createStreamHost, {
    params,
    body: { name: 'socket', listen_port: 5432, listen_addresses: ['unix:/run/db.sock'], upstream_id: upstream.id },
  })
  await client.call(routes.createVirtualHost, { params, body: host })
  const own = await client.call(routes.createVirtualHost, {
    params,
    body: { ...host, name: 'own', server_name: 'b.test', listen_addresses: ['127.0.0.1'] },
  })
  const proxied = await client.call(routes.createVirtualHost, {
    params,
    body: { ...host, name: 'proxied', listen_port: 8080, accept_proxy_protocol: { trusted: ['10.0.0.1'] } },
  })

  const ids = await connectAll(mesh)
  const addresses = 'agent_too_old virtual_host listen_addresses'
  const protocol = 'agent_too_old virtual_host accept_proxy_protocol'
  const streams = ['protocol', 'protocol', 'listen_addresses', 'protocol', 'listen_addresses'].map(
    (field) => `agent_too_old stream_host ${field}`,
  )
  const single = 'agent_too_old stream_host listen_addresses'
  expect(Object.fromEntries(ids.map(({ capability, names, findings }) => [capability, { names, findings }]))).toEqual({
    0: { names: ['web'], findings: [addresses, protocol, ...streams] },
    5: { names: ['web'], findings: [addresses, protocol, ...streams] },
    6: { names: ['web', 'db'], findings: [addresses, protocol, single, single] },
    7: { names: ['web', 'own', 'db'], findings: [protocol, single, single] },
    8: { names: ['web', 'own', 'db'], findings: [protocol, single, single] },
    9: { names: ['web', 'own', 'proxied', 'db', 'near'], findings: [single] },
    10: { names: ['web', 'own', 'proxied', 'db', 'near', 'socket'], findings: [] },
  })

  const { data } = await client.call(routes.listFindings, { params, query: { code: 'agent_too_old' } })
  const below = (capability: number) => ids.filter((agent) => agent.capability < capability).map(({ id }) => id)
  expect(data.map(({ object, field, agent_ids }) => [object.id, field, agent_ids])).toEqual([
    [own.id, 'listen_addresses', below(7)],
    [proxied.id, 'accept_proxy_protocol', below(9)],
    [stream.id, 'protocol', below(6)],
    [near.id, 'protocol', below(6)],
    [near.id, 'listen_addresses', below(9)],
    [socket.id, 'protocol', below(6)],
    [socket.id, 'listen_addresses', below(10)],
  ])
})

test('an agent that is kept from a host is degraded, and says why, until it is given all', async () => {
  await using stack = new AsyncDisposableStack()
  const { client, workspaceId, master } = stack.use(await startTestMaster(stack.use(await scratch()).path))
  const params = { workspace_id: workspaceId }
  const { agent_id, token } = await client.call(routes.createAgentToken, { params, body: { name: 'old' } })
  using agent = connectNative(master.agents.port, master.ctx.authority.caPem)
  agent.send({ case: 'registration', value: { token, capability: 6 } })
  const state = async () => {
    const { state: now, state_reason } = await client.call(routes.getAgent, { params: { agent_id } })
    return `${now} ${state_reason ?? ''}`
  }
  const becomes = (expected: string) => until(`it is ${expected}`, async () => (await state()) === expected)
  await becomes('online ')
  const single = { ...host, listen_addresses: ['127.0.0.1'] }
  const one = await client.call(routes.createVirtualHost, { params, body: single })
  await becomes('degraded "web" is left out: this release of the agent does not know what is asked for')
  const two = await client.call(routes.createVirtualHost, { params, body: { ...single, name: 'two', server_name: 'b.test' } })
  await becomes('degraded "web" and 1 more are left out: this release of the agent does not know what is asked for')
  const { data } = await client.call(routes.listAgents, { params, query: { state: 'degraded' } })
  expect(data.map(({ id }) => id)).toEqual([agent_id])
  for (const { id } of [one, two])
    await client.call(routes.updateVirtualHost, { params: { virtual_host_id: id }, body: { listen_addresses: null } })
  await becomes('online ')
})

test('no agent is given a host without what keeps people out of it', async () => {
  await using stack = new AsyncDisposableStack()
  const mesh = stack.use(await startTestMaster(stack.use(await scratch()).path))
  const params = { workspace_id: mesh.workspaceId }
  const { client } = mesh
  await client.call(routes.updateWorkspace, { params, body: { lua_allowed: true } })
  const create = (name: string, guard: object) =>
    client.call(routes.createVirtualHost, { params, body: { ...host, name, server_name: `${name}.test`, ...guard } })
  const location = { path: '/', root: '/srv' }
  await create('open', { gzip: { enabled: true } })
  await create('rules', { access: { rules: [{ action: 'deny', address: 'all' }] } })
  await create('password', {
    locations: [{ ...location, auth_basic: { realm: 'us', users: [{ name: 'ann', password: 'correct horse' }] } }],
  })
  await create('words', { extra_directives: ['deny all;'] })
  await create('socket', { listen_addresses: ['unix:/run/nobody/a.sock'] })
  await create('more', { custom_directives: { more_set_headers: '"X-Frame-Options: DENY"' } })
  await create('code', { custom_directives: { access_by_lua_block: '{ ngx.exit(403) }' } })
  const given = async () => Object.fromEntries((await connectAll(mesh)).map(({ capability, names }) => [capability, names]))

  const typed = ['open', 'rules', 'password', 'words']
  expect(await given()).toEqual({
    0: ['open'],
    5: typed,
    6: typed,
    7: typed,
    8: [...typed, 'code'],
    9: [...typed, 'socket', 'more', 'code'],
    10: [...typed, 'socket', 'more', 'code'],
  })

  await client.call(routes.updateSettings, { params, body: { nginx_directives: { access_by_lua_block: '{ ngx.exit(403) }' } } })
  const all = [...typed, 'socket', 'more', 'code']
  expect(await given()).toEqual({ 0: [], 5: [], 6: [], 7: [], 8: [...typed, 'code'], 9: all, 10: all })
  const { data } = await client.call(routes.listFindings, { params, query: { code: 'agent_too_old', kind: 'settings' } })
  expect(data.map(({ object, field, agents }) => [object.kind, field, agents])).toEqual([
    ['settings', 'nginx_directives.access_by_lua_block', 2 * capabilities.filter((capability) => capability < 8).length],
  ])
})

test('agents of an older release ignore the mail block, and it is told', async () => {
  await using stack = new AsyncDisposableStack()
  const mesh = stack.use(await startTestMaster(stack.use(await scratch()).path))
  const params = { workspace_id: mesh.workspaceId }
  const mail_directives = ['auth_http 127.0.0.1:9000/auth', 'server { listen 143; }']
  const wrong = mesh.client.call(routes.updateSettings, { params, body: { mail_directives: ['server { listen 143; }'] } })
  await expect(wrong).rejects.toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: 'mail_directives.0', code: 'REQUIRED' }] })
  await mesh.client.call(routes.updateSettings, { params, body: { mail_directives } })
  expect(await mesh.client.call(routes.getSettings, { params })).toMatchObject({ mail_directives })
  await mesh.client.call(routes.createVirtualHost, { params, body: host })
  const ids = await connectAll(mesh)
  expect(ids.map(({ capability, names, findings }) => [capability, names, findings])).toEqual(
    capabilities.map((capability) => [capability, ['web'], capability < 10 ? ['agent_too_old settings mail_directives'] : []]),
  )
})

/** What agents of each release, new to the workspace, are given at once, and what is said of them. */
async function connectAll({ client, workspaceId, master }: TestMaster) {
  const agents: { capability: number; id: string; names: string[]; findings: string[] }[] = []
  const { meta } = await client.call(routes.listAgents, { params: { workspace_id: workspaceId } })
  for (const capability of capabilities) {
    const { agent_id: id, token } = await client.call(routes.createAgentToken, {
      params: { workspace_id: workspaceId },
      body: { name: `agent ${meta.total + agents.length}` },
    })
    using agent = connectNative(master.agents.port, master.ctx.authority.caPem)
    agent.send({ case: 'registration', value: { token, capability } })
    const { virtualHosts, streamHosts } = await agent.next('configUpdate')
    const params = { agent_id: id }
    await until('it is registered', async () => (await client.call(routes.getAgent, { params })).state !== 'offline')
    const { config } = await client.call(routes.getAgent, { params })
    const names = [...virtualHosts, ...streamHosts].map(({ name }) => name)
    agents.push({ capability, id, names, findings: config.findings.map(({ kind, field, code }) => `${code} ${kind} ${field}`) })
  }
  return agents
}
