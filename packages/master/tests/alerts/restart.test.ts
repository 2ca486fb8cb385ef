import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import { startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import { describe, expect, test } from 'vitest'
import { connectTelemetryAgent, newTelemetryAgent, type TelemetryAgent } from '../telemetry-agent.ts'

const loadAbove = (threshold: number) => ({ kind: 'metric', metric: 'load_average_1m', operator: 'above', threshold }) as const

describe.each(stores)('on $name', (store) => {
  test('what has held for a while when the master is restarted goes on, and another condition begins anew', async () => {
    await using stack = new AsyncDisposableStack()
    const directory = stack.use(await scratch()).path
    const key = join(directory, 'secret.key')
    await writeFile(key, randomBytes(32).toString('base64'), { mode: 0o600 })
    const settings = [...(await stack.use(await store.open()).settings()), '--secret-key-file', key]
    let ahead = 0
    const start = () => startTestMaster(join(directory, 'master'), settings, { now: () => Date.now() + ahead })
    const placeOf = ({ master }: TestMaster) => ({ port: master.agents.port, caPem: master.ctx.authority.caPem })
    const report = (agent: TelemetryAgent, loadAverage1m: number) =>
      agent.stream.send({ case: 'health', value: { nginx: { isRunning: true }, system: { loadAverage1m } } } as never)

    const before = stack.use(await start())
    const params = { workspace_id: before.workspaceId }
    const newRule = (name: string, for_seconds: number) =>
      before.client.call(routes.createAlertRule, { params, body: { name, for_seconds, condition: loadAbove(8) } })
    const [, changed] = [await newRule('Kept', 3600), await newRule('Changed', 3600), await newRule('At once', 0)]
    const agent = await newTelemetryAgent({ ...before, ...placeOf(before) }, 'loaded')
    const openAt = async ({ client }: TestMaster) =>
      (await client.call(routes.listAlerts, { params, query: { agent_id: agent.id, state: 'open' } })).data.map(({ name }) => name)
    report(agent, 9)
    // The others are looked at in the same run.
    await until('the rules to have been looked at', async () => (await openAt(before)).includes('At once'))
    agent[Symbol.dispose]()
    await before[Symbol.asyncDispose]()

    ahead = 3_600_000
    const after = stack.use(await start())
    await after.client.call(routes.updateAlertRule, { params: { alert_rule_id: changed.id }, body: { condition: loadAbove(7) } })
    using again = await connectTelemetryAgent(placeOf(after), agent)
    report(again, 9)
    ahead += 31_000
    await until('the alert', async () => (await openAt(after)).includes('Kept'))
    expect((await openAt(after)).toSorted()).toEqual(['At once', 'Kept'])
  })
})
