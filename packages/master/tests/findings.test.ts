import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import type { FindingQuery } from '@nxmesh/api/routes/findings'
import { ConfigApplyStatus } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { unindexed } from '@nxmesh/testkit/unindexed'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newTelemetryAgent } from './telemetry-agent.ts'

describe.each(stores)('findings, on $name', (store) => {
  let stack: AsyncDisposableStack
  let mesh: TestMaster
  let slug = 0

  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch()).path
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(join(directory, 'master'), await opened.settings()))
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  async function workspace() {
    const name = `w${++slug}`
    const made = await mesh.client.call(routes.createWorkspace, {
      params: { organization_id: mesh.organizationId },
      body: { name, slug: name },
    })
    const params = { workspace_id: made.id }
    const { client } = mesh
    return {
      id: made.id,
      params,
      host: (changes: object) =>
        client.call(routes.createVirtualHost, { params, body: { name: 'Site', server_name: 'a.test', listen_port: 80, ...changes } }),
      upstream: (name_: string) =>
        client.call(routes.createUpstream, { params, body: { name: name_, servers: [{ address: '10.0.0.1:80' }] } }),
      agent: (name_: string, labels = {}) => client.call(routes.createAgentToken, { params, body: { name: name_, labels } }),
      list: (query: Partial<Record<keyof FindingQuery, string>> = {}) =>
        client.call(routes.listFindings, { params, query: query as never }),
    }
  }

  test('what the rules find, gravest first, and who serves it', async () => {
    const { id, host, upstream, agent, list } = await workspace()
    const [web, api] = [await agent('web', { tier: 'web' }), await agent('api', { tier: 'api' })]
    const unused = await upstream('unused')
    const leaky = await host({
      target_agents: { type: 'selector', label_selector: 'tier=web' },
      locations: [
        { path: '/i', custom_directives: { alias: '/srv/i/' } },
        { path: '/p', proxy_pass: 'http://10.0.0.1' },
      ],
    })
    await mesh.client.call(routes.updateSettings, { params: { workspace_id: id }, body: { nginx_directives: { resolver: '8.8.8.8' } } })
    const { data, meta } = await list()
    expect(meta).toEqual({ page: 1, per_page: 20, total: 4 })
    expect(data.map(({ severity, code, object, agent_ids }) => [severity, code, object.id, agent_ids])).toEqual([
      ['error', 'alias_traversal', leaky.id, [web.agent_id]],
      ['warning', 'external_resolver', id, [web.agent_id, api.agent_id]],
      ['info', 'missing_timeouts', leaky.id, [web.agent_id]],
      ['info', 'unused_upstream', unused.id, []],
    ])
    expect(data[0]).toMatchObject({
      object: { kind: 'virtual_host', name: 'Site' },
      field: 'locations.0.custom_directives.alias',
      found_by: 'lint',
      agents: 1,
    })
    expect(routes.listFindings.response.parse({ data, meta })).toEqual({ data, meta })

    const codes = async (query: Parameters<typeof list>[0]) => (await list(query)).data.map(({ code }) => code)
    expect(await codes({ severity: 'info' })).toEqual(['missing_timeouts', 'unused_upstream'])
    expect(await codes({ kind: 'upstream' })).toEqual(['unused_upstream'])
    expect(await codes({ object_id: leaky.id })).toEqual(['alias_traversal', 'missing_timeouts'])
    expect(await codes({ code: 'alias_traversal' })).toEqual(['alias_traversal'])
    expect(await codes({ agent_id: api.agent_id })).toEqual(['external_resolver'])
    expect(await codes({ agent_id: web.agent_id, severity: 'error' })).toEqual(['alias_traversal'])
    expect(await codes({ page: '2', per_page: '3' })).toEqual(['unused_upstream'])
    expect(await codes({ agent_id: '550e8400-e29b-41d4-a716-446655440000' })).toEqual([])

    await mesh.client.call(routes.updateVirtualHost, {
      params: { virtual_host_id: leaky.id },
      body: { locations: [{ path: '/i/', custom_directives: { alias: '/srv/i/' } }] },
    })
    expect(await codes({ object_id: leaky.id })).toEqual([])
  })

  test('what came together only after it was written', async () => {
    const { host, agent, list } = await workspace()
    const { agent_id } = await agent('one', { a: '1' })
    const first = await host({ target_agents: { type: 'selector', label_selector: 'a=1' } })
    const second = await host({ name: 'Other', target_agents: { type: 'selector', label_selector: 'b=1' } })
    expect((await list()).data.map(({ code, object }) => [code, object.id])).toEqual([['no_agent', second.id]])
    await mesh.client.call(routes.updateAgent, { params: { agent_id }, body: { labels: { b: '1' } } })
    const { data } = await list()
    expect(data.map(({ code, object, agents }) => [code, object.id, agents])).toEqual([['duplicate_server_name', second.id, 1]])
    expect(data[0]!.reason).toContain(first.name)
  })

  test('certificates that nothing renews', async () => {
    const { params, list } = await workspace()
    const body = { domain: 'a.test', provider: 'self_signed', auto_renew: false } as const
    const { id } = await mesh.client.call(routes.requestCertificate, { params, body })
    await until(
      'it is issued',
      async () => (await mesh.client.call(routes.getCertificate, { params: { certificate_id: id } })).status === 'active',
    )
    expect((await list()).data.map(({ code }) => code)).toEqual(['unused_certificate'])
    const ends = new Date(mesh.master.ctx.now() + 86_400_000).toISOString()
    await mesh.master.ctx.db.updateTable('certificates').set({ expires_at: ends }).where('id', '=', id).execute()
    expect((await list({ kind: 'certificate' })).data.map(({ code, object }) => [code, object.id])).toEqual([
      ['certificate_ending', id],
      ['unused_certificate', id],
    ])
  })

  test('what agents tell of their configs, each thing once with all who tell of it', async () => {
    const { id, host, list } = await workspace()
    const made = await host({ locations: [{ path: '/', root: '/srv' }] })
    const { client, master } = mesh
    const place = { client, port: master.agents.port, caPem: master.ctx.authority.caPem, workspaceId: id }
    using one = await newTelemetryAgent(place, 'one')
    using two = await newTelemetryAgent(place, 'two')
    const gone = '550e8400-e29b-41d4-a716-446655440000'
    const about = (of: string) => ({
      severity: 'error',
      message: 'bind() failed',
      kind: 'virtual_host',
      id: of,
      name: 'Old name',
      field: 'listen_port',
    })
    const failures = new Map([
      [one, [about(made.id), about(gone), { severity: 'warning', message: 'no room in /var' }]],
      [two, [about(made.id)]],
    ])
    for (const [agent, findings] of failures) {
      const { configChecksum } = await agent.stream.next('configUpdate')
      agent.stream.send({ case: 'configStatus', value: { configChecksum, status: ConfigApplyStatus.FAILED, errorMessage: 'no', findings } })
      const state = async () => (await client.call(routes.getAgent, { params: { agent_id: agent.id } })).config.status
      await until('it is known', async () => (await state()) === 'failed')
    }
    const { data } = await list()
    expect(data.map(({ severity, reason, object, found_by, agent_ids }) => [severity, reason, object, found_by, agent_ids])).toEqual([
      ['error', 'bind() failed', { kind: 'virtual_host', id: made.id, name: 'Site' }, 'agent', [one.id, two.id]],
      ['warning', 'no room in /var', { kind: 'agent', id: one.id, name: 'one' }, 'agent', [one.id]],
    ])
    expect((await list({ agent_id: two.id })).data).toHaveLength(1)
    expect((await list({ kind: 'agent' })).data).toHaveLength(1)
  })

  test('nginx’s own words come with their cause and a fix, also of an agent that tells nothing else', async () => {
    const { id, host, list } = await workspace()
    const made = await host({ locations: [{ path: '/', root: '/srv' }] })
    const { client, master } = mesh
    const place = { client, port: master.agents.port, caPem: master.ctx.authority.caPem, workspaceId: id }
    using ours = await newTelemetryAgent(place, 'ours')
    using foreign = await newTelemetryAgent(place, 'foreign')
    const words = 'bind() to 0.0.0.0:80 failed (98: Address already in use)'
    const findings = [{ severity: 'error', message: words, kind: 'virtual_host', id: made.id, field: 'listen_port' }]
    const fix = expect.stringContaining('choose another port')
    for (const [agent, told] of [
      [ours, findings],
      [foreign, []],
    ] as const) {
      const { configChecksum } = await agent.stream.next('configUpdate')
      const status = { configChecksum, status: ConfigApplyStatus.FAILED, errorMessage: words, findings: [...told] }
      agent.stream.send({ case: 'configStatus', value: status })
      const config = async () => (await client.call(routes.getAgent, { params: { agent_id: agent.id } })).config
      await until('it is known', async () => (await config()).status === 'failed')
      expect((await config()).findings).toMatchObject([{ message: words, code: 'port_in_use', fix }])
    }
    const { data } = await client.call(routes.listApplies, { params: { agent_id: ours.id } })
    expect(data[0]!.findings).toMatchObject([{ field: 'listen_port', code: 'port_in_use', fix }])
    expect((await list()).data.map(({ code, reason, object, fix: told }) => [code, reason, object.id, told])).toEqual([
      ['port_in_use', expect.stringContaining(`${words}: another program listens`), made.id, fix],
      ['port_in_use', expect.stringContaining(words), foreign.id, fix],
    ])
  })

  test.each([
    [{ severity: 'critical' }, 'severity'],
    [{ kind: 'location' }, 'kind'],
    [{ object_id: 'x' }, 'object_id'],
    [{ code: 'Not One' }, 'code'],
    [{ nonsense: '1' }, 'nonsense'],
  ])('%j is refused', async (query, field) => {
    const { list } = await workspace()
    await expect(list(query as object)).rejects.toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field }] })
  })

  test('no question of it reads a table from end to end', async () => {
    expect(await unindexed(mesh.master.ctx.db, mesh.queries)).toEqual([])
  })
})
