import { routes } from '@nxmesh/api/routes'
import { startTestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'
import { connectNative } from './link-native.ts'

test('a command whose agent is gone before it answers is told at once, as what it is', async () => {
  await using stack = new AsyncDisposableStack()
  const { client, workspaceId, master } = stack.use(await startTestMaster(stack.use(await scratch()).path))
  const { agent_id, token } = await client.call(routes.createAgentToken, { params: { workspace_id: workspaceId }, body: { name: 'gone' } })
  const params = { agent_id }
  using agent = connectNative(master.agents.port, master.ctx.authority.caPem)
  agent.send({ case: 'registration', value: { token, capability: 9 } })
  await until('it is there', async () => (await client.call(routes.getAgent, { params })).state !== 'offline')
  const reloading = client.call(routes.reloadAgent, { params }).catch((error: unknown) => error)
  await agent.next('command')
  agent[Symbol.dispose]()
  expect(await reloading).toMatchObject({
    code: 'SERVICE_UNAVAILABLE',
    message: 'the connection to the agent ended before it answered',
  })
})
