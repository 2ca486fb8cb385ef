import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import { startTestMaster } from '@nxmesh/testkit/master'
import { startPostgres } from '@nxmesh/testkit/postgres'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'
import { newTelemetryAgent } from '../telemetry-agent.ts'

test('what two masters and a third one after them find is one alert, told once', async () => {
  await using stack = new AsyncDisposableStack()
  const postgres = stack.use(await startPostgres())
  const directory = stack.use(await scratch()).path
  const keyFile = join(directory, 'secret.key')
  await writeFile(keyFile, randomBytes(32).toString('base64'), { mode: 0o600 })
  const settings = ['--database', await postgres.createDatabase(), '--secret-key-file', keyFile]
  const start = (name: string) => startTestMaster(join(directory, name), settings)
  const [one, two] = [stack.use(await start('one')), stack.use(await start('two'))]
  const { client, master, workspaceId } = one
  const params = { workspace_id: workspaceId }
  const { data: rules } = await client.call(routes.listAlertRules, { params, query: {} })
  expect(rules).toHaveLength(10)
  const rule = rules.find(({ name }) => name === 'Agent offline')!
  await client.call(routes.updateAlertRule, { params: { alert_rule_id: rule.id }, body: { for_seconds: 0 } })
  const place = { client, workspaceId, port: master.agents.port, caPem: master.ctx.authority.caPem }
  const agents = await Promise.all(Array.from({ length: 20 }, (_, index) => newTelemetryAgent(place, `agent-${index}`)))
  for (const agent of agents) agent[Symbol.dispose]()

  const list = async () => (await client.call(routes.listAlerts, { params, query: { rule_id: rule.id, per_page: '100' } as never })).data
  await until('an alert of each', async () => (await list()).length >= agents.length)
  // Each looks once more, with all that is there.
  const third = stack.use(await start('three'))
  for (const each of [one, two, third]) {
    const marker = `marker of ${each.base}`
    await each.client.call(routes.createAlertRule, { params, body: { name: marker, condition: { kind: 'state', state: 'agent_offline' } } })
    const named = async () => (await client.call(routes.listAlerts, { params, query: { per_page: '100' } as never })).data
    await until(marker, async () => (await named()).filter(({ name }) => name === marker).length === agents.length)
  }
  expect((await list()).map(({ agent_id }) => agent_id).sort()).toEqual(agents.map(({ id }) => id).sort())
  const { db } = master.ctx
  const told = await db.selectFrom('events').select('data').where('type', '=', 'health.alert').execute()
  const ids = new Set((await list()).map(({ id }) => id))
  expect(told.filter(({ data }) => ids.has((JSON.parse(data) as { alert_id: string }).alert_id))).toHaveLength(agents.length)
})
