import { routes } from '@nxmesh/api/routes'
import { type Cuttable, startCuttable } from '@nxmesh/testkit/cuttable'
import { accessToken } from '@nxmesh/testkit/master'
import { type Mesh, startMesh } from '@nxmesh/testkit/mesh'
import { addSite, type Site } from '@nxmesh/testkit/site'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listenWith } from '../packages/master/tests/events/listening.ts'

const stack = new AsyncDisposableStack()
let mesh: Mesh
let line: Cuttable
let site: Site
let id: string

beforeAll(async () => {
  mesh = stack.use(await startMesh({ agents: 0 }))
  line = stack.use(await startCuttable(mesh.master.agents.port))
  site = stack.use(await addSite(mesh, 'site'))
  id = (await mesh.addAgent('far', { options: { master: `127.0.0.1:${line.port}` } })).id
})

afterAll(() => stack.disposeAsync())

async function change(marker: string): Promise<void> {
  const body = { custom_directives: { add_header: `X-Marker ${marker} always` } }
  await mesh.client.call(routes.updateVirtualHost, { params: { virtual_host_id: site.id }, body })
}

const stateIs = (state: string) => until(`the agent to be ${state}`, async () => (await mesh.show(id)).state === state)
const marker = async () => (await site.get()).headers['x-marker']

test('a line that is cut: offline after three heartbeats, nginx serves on; mended: converged', async () => {
  const load = site.load()
  const before = await mesh.show(id)
  line.cut()
  await change('cut')
  const began = performance.now()
  await stateIs('offline')
  expect(performance.now() - began).toBeLessThan(6000)
  const offline = await mesh.show(id)
  expect(offline.config.applied).toEqual(before.config.applied)
  expect(await marker()).toBeUndefined()
  await change('cut-twice')

  line.mend()
  const after = await mesh.settled(id)
  expect(await marker()).toBe('cut-twice')
  expect(after.config.applied?.version).toBe(after.config.desired?.version)
  expect(await load.stop()).toMatchObject({ failures: [] })
})

test('a cut shorter than three heartbeats is nobody’s news', async () => {
  const seen = new Set<string>()
  line.cut()
  await change('short')
  const began = performance.now()
  await until('one heartbeat to be missed', async () => {
    seen.add((await mesh.show(id)).state)
    return performance.now() - began > 1200
  })
  line.mend()
  await mesh.settled(id)
  expect(seen).toEqual(new Set(['online']))
  expect(await marker()).toBe('short')
})

test('half open: the agent hears nothing more while the master hears it; it notices and comes back', async () => {
  await stateIs('online')
  line.mute('target')
  await change('mute')
  const began = performance.now()
  await mesh.settled(id)
  expect(performance.now() - began).toBeLessThan(20_000)
  expect(await marker()).toBe('mute')
})

test('half open the other way: the master hears nothing more; it tells, and the agent comes back', async () => {
  await stateIs('online')
  await using events = await listenWith(mesh.base, await accessToken(mesh.base))
  line.mute('client')
  await change('unheard')
  // Either may notice first: the master the silence, or the agent that nothing is answered any more.
  const { data } = await events.next('agent.disconnected', { agent_id: id })
  expect(['connection_timeout', 'replaced']).toContain(data['reason'])
  await mesh.settled(id)
  expect(await marker()).toBe('unheard')
})

test('connections reset over and over while changes come: the newest is served in the end', async () => {
  const load = site.load()
  for (let edit = 1; edit <= 6; edit++) {
    await change(`storm-${edit}`)
    // Most resets meet a session that is only just beginning, or none at all.
    if (edit % 3 === 0) await stateIs('online')
    line.reset()
  }
  await mesh.settled(id)
  expect(await marker()).toBe('storm-6')
  expect(await load.stop()).toMatchObject({ failures: [] })
})
