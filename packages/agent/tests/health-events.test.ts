import { upstreamInput } from '@nxmesh/model/upstream'
import { startBackend } from '@nxmesh/testkit/backend'
import { freePort } from '@nxmesh/testkit/ports'
import { expect, test } from 'vitest'
import { startScriptedMaster } from './scripted-master.ts'
import { desired, host, openBench, startOn, until } from './testing.ts'
import { toWire } from './wire.ts'

const id = '00000000-0000-7000-8002-000000000001'

test('the master is told at once when a server fails its checks and when it passes them again', async () => {
  await using bench = await openBench()
  await using master = await startScriptedMaster()
  await using one = await startBackend('one')
  await using two = await startBackend('two')
  const check = { enabled: true, interval: 1, timeout: 1, healthy_threshold: 1, unhealthy_threshold: 1 }
  const servers = [{ address: one.address }, { address: two.address }]
  const upstreams = [{ ...upstreamInput.parse({ name: 'told', servers, health_check: check }), id }]
  const location = { path: '/', upstream_id: id, custom_headers: [], rewrite_rules: [], custom_directives: {} }
  await using _agent = await startOn(bench, { master: master.address, token: master.token })
  const heard = () => master.heard.map(({ payload }) => payload)
  const events = () => heard().flatMap((payload) => (payload.case === 'event' ? [payload.value] : []))
  const last = () => heard().findLast((payload) => payload.case === 'health')?.value.upstreamServers ?? []
  await until('it registers', () => heard().some((payload) => payload.case === 'registration'))
  const config = desired(1, { upstreams, virtual_hosts: [host(await freePort(), { locations: [location] })] })
  master.send({ case: 'configUpdate', value: toWire(config) })
  await until('both are up', () => last().filter(({ state }) => state === 'up').length === 2)

  await two.become('broken')
  await until('it is told', () => events().length === 1)
  expect(events()[0]).toMatchObject({
    eventType: 'upstream.server_down',
    data: { upstream_id: id, upstream_name: 'told', address: two.address, error: 'status 500' },
  })
  await until('the report says so', () => last()[0]?.state === 'down' && last()[0]?.inRotation === false)
  expect(last()[0]).toMatchObject({ upstreamId: id, address: two.address, lastError: 'status 500' })
  expect(last()[0]!.checksFailed).toBeGreaterThan(0n)
  await two.become('moved')
  await until('its return is told', () => events().length === 2)
  expect(events()[1]).toMatchObject({ eventType: 'upstream.server_up', data: { address: two.address } })
})
