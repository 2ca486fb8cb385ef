import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import { get } from '@nxmesh/testkit/get'
import { killNginx } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { spread, verdict } from './figures.ts'
import { runAgent, runMaster } from './programs.ts'

// 150 virtual hosts created one after another, as a script would, until the last of them is served: many edits, few reloads.
const count = 150

await using directory = await scratch()
const agentDirectory = join(directory.path, 'agent')
await using master = await runMaster(join(directory.path, 'master'))
await using cleanUp = new AsyncDisposableStack()
cleanUp.defer(() => killNginx(agentDirectory))
await using agent = await runAgent(master, agentDirectory, 'bench')
const port = await freePort()
const params = { workspace_id: master.workspaceId }
const writes: number[] = []
const start = performance.now()
for (let index = 0; index < count; index++) {
  const began = performance.now()
  const locations = [{ path: '/', custom_directives: { return: `200 ${index}` } }]
  await master.client.call(routes.createVirtualHost, {
    params,
    body: { name: `Host ${index}`, server_name: `host-${index}.test`, listen_port: port, locations },
  })
  writes.push(performance.now() - began)
}
const written = performance.now() - start
await until('the last host', async () => (await get(port, `host-${count - 1}.test`)).body === `${count - 1}`, 120)
const settled = performance.now() - start
const shown = await master.client.call(routes.getAgent, { params: { agent_id: agent.id } })
console.log(`${count} virtual hosts created one after another on one agent (${shown.name})`)
console.log(`  one write: ${spread(writes)}`)
console.log(`  all written after ${(written / 1000).toFixed(2)} s`)
verdict('settled after', settled / 1000, 10, 's')
