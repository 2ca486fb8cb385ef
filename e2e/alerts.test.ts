import { routes } from '@nxmesh/api/routes'
import { accessToken } from '@nxmesh/testkit/master'
import { startMesh } from '@nxmesh/testkit/mesh'
import { requestTimes } from '@nxmesh/testkit/requests'
import { addHost } from '@nxmesh/testkit/traffic'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'
import { listenWith } from '../packages/master/tests/events/listening.ts'

test('a real nginx whose requests fail and succeed again, and an agent that is gone', async () => {
  await using mesh = await startMesh({ agents: 0 })
  const params = { workspace_id: mesh.workspaceId }
  const { data: rules } = await mesh.client.call(routes.listAlertRules, { params, query: {} })
  for (const rule of rules) {
    await mesh.client.call(routes.updateAlertRule, { params: { alert_rule_id: rule.id }, body: { for_seconds: 0 } })
  }
  await using events = await listenWith(mesh.base, await accessToken(mesh.base))
  const made = await mesh.addAgent('alerting', { overrides: { telemetry: { lookEvery: 100, measureEvery: 200 } } })
  const host = await addHost(mesh, 'failing')
  await mesh.settled(made.id)
  const named = async (name: string) =>
    (await mesh.client.call(routes.listAlerts, { params, query: { agent_id: made.id } })).data.filter((alert) => alert.name === name)
  await requestTimes(host.port, host.name, 100, (index) => (index % 4 === 0 ? '/broken' : '/'))
  await events.next('health.alert', { agent_id: made.id, metric: 'server_error_percent' })
  expect(await named('Server errors')).toMatchObject([{ state: 'open', severity: 'error', value: 25, threshold: 5 }])
  await requestTimes(host.port, host.name, 3000)
  await events.next('alert.resolved', { agent_id: made.id, metric: 'server_error_percent' })

  await made.agent[Symbol.asyncDispose]()
  await until('an alert of an agent that is offline', async () => (await named('Agent offline')).length === 1)
  expect(await named('Agent offline')).toMatchObject([{ state: 'open', severity: 'critical', metric: null, value: null }])
})
