import { routes } from '@nxmesh/api/routes'
import { type Store, stores } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'
import { openResolver } from '../../src/certificates/dns/resolver.ts'
import { startRenewing } from './renewing.ts'

const [store] = stores as [Store]

test('preflight says where the CA finds nobody, as agents answer on single addresses alone', async () => {
  const leadsTo = new Map<string, string[]>()
  const nobody = openResolver(['127.0.0.1:1'])
  await using renewing = await startRenewing(store, {
    resolver: { ...nobody, addresses: async (name) => ({ ok: true, addresses: leadsTo.get(name) ?? ['203.0.113.1'] }) },
  })
  const { client, workspaceId } = renewing
  const params = { workspace_id: workspaceId }
  const { data } = await client.call(routes.listVirtualHosts, { params, query: {} })
  const host = { virtual_host_id: data[0]!.id }
  const look = async (domain: string) => {
    await until('the agent is up to date', async () => {
      const { data: agents } = await client.call(routes.listAgents, { params, query: {} })
      const { config } = await client.call(routes.getAgent, { params: { agent_id: agents[0]!.id } })
      return config.applied?.digest === config.desired!.digest
    })
    const body = { domain, provider: 'letsencrypt' as const }
    const { ready, findings } = await client.call(routes.preflightCertificate, { params, body })
    return { ready, findings: findings.map(({ severity, code, name, message }) => ({ severity, code, name, message })) }
  }
  expect(await look('a.test')).toEqual({ ready: true, findings: [] })

  await client.call(routes.updateVirtualHost, { params: host, body: { listen_addresses: ['192.0.2.5', '2001:DB8::5'] } })
  const message = 'a.test leads to 203.0.113.1, and the agents that serve it answer the CA on 192.0.2.5, 2001:db8::5 alone.'
  expect(await look('a.test')).toEqual({ ready: true, findings: [{ severity: 'warning', code: 'other_address', name: 'a.test', message }] })
  leadsTo.set('b.test', ['203.0.113.1', '2001:db8:0::5'])
  expect(await look('b.test')).toEqual({ ready: true, findings: [] })
})
