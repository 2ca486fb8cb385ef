import type { StatusReport } from '@nxmesh/agent/ledger'
import { startAgent } from '@nxmesh/agent/start'
import { routes } from '@nxmesh/api/routes'
import { type Mesh, startMesh } from '@nxmesh/testkit/mesh'
import { addSite, type Site } from '@nxmesh/testkit/site'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

function change(mesh: Mesh, site: Site, marker: string) {
  const body = { custom_directives: { add_header: `X-Marker ${marker} always` } }
  return mesh.client.call(routes.updateVirtualHost, { params: { virtual_host_id: site.id }, body })
}

const finalOf = (statuses: StatusReport[]) => statuses.filter(({ status }) => !['pending', 'validating', 'applying'].includes(status))

test('changes made while the agent is away are applied once, as the newest version', async () => {
  await using mesh = await startMesh({ agents: 0 })
  await using site = await addSite(mesh, 'site')
  const { id, options } = await mesh.newAgent('away')
  const first = await startAgent(options)
  await mesh.settled(id)
  await first[Symbol.asyncDispose]()
  await until('the agent to be offline', async () => (await mesh.show(id)).state === 'offline')

  for (let edit = 1; edit <= 5; edit++) await change(mesh, site, `away-${edit}`)
  const away = await mesh.show(id)
  expect(away.config.desired?.version).toBe(away.config.applied!.version + 5)
  expect(await site.get()).toMatchObject({ body: 'site', headers: expect.not.objectContaining({ 'x-marker': expect.anything() }) })

  const statuses: StatusReport[] = []
  await using _second = await startAgent(options, { onStatus: (status) => statuses.push(status) })
  const back = await mesh.settled(id)
  expect((await site.get()).headers['x-marker']).toBe('away-5')
  expect(finalOf(statuses)).toMatchObject([{ status: 'success', version: back.config.desired!.version }])
  expect(back.config.applied?.version).toBe(away.config.desired?.version)
})

test('an agent that comes back to the very config it has is not sent it and does not reload', async () => {
  await using mesh = await startMesh({ agents: 0 })
  await using site = await addSite(mesh, 'site')
  const { id, options } = await mesh.newAgent('away')
  const first = await startAgent(options)
  const before = await mesh.settled(id)
  await first[Symbol.asyncDispose]()
  await until('the agent to be offline', async () => (await mesh.show(id)).state === 'offline')
  await change(mesh, site, 'there')
  await mesh.client.call(routes.updateVirtualHost, {
    params: { virtual_host_id: site.id },
    body: { custom_directives: { add_header: null } },
  })

  const statuses: StatusReport[] = []
  await using _second = await startAgent(options, { onStatus: (status) => statuses.push(status) })
  const back = await mesh.settled(id)
  expect(statuses).toEqual([])
  expect(back.config.applied).toEqual({ version: before.config.applied!.version + 2, digest: before.config.applied!.digest })
})

test('five quick edits are fewer pushes than edits and end at the newest', async () => {
  const statuses: StatusReport[] = []
  await using mesh = await startMesh({ agents: 0 })
  await using site = await addSite(mesh, 'site')
  const { id } = await mesh.addAgent('busy', { overrides: { onStatus: (status) => statuses.push(status) } })
  statuses.length = 0
  const load = site.load()
  for (let edit = 1; edit <= 5; edit++) await change(mesh, site, `edit-${edit}`)
  const after = await mesh.settled(id)
  expect((await site.get()).headers['x-marker']).toBe('edit-5')
  expect(await load.stop()).toMatchObject({ failures: [] })
  const ends = finalOf(statuses)
  expect(ends.length).toBeLessThan(5)
  expect(ends.every(({ status }) => status === 'success')).toBe(true)
  expect(ends.at(-1)?.version).toBe(after.config.desired?.version)
})
