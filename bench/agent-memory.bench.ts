import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { routes } from '@nxmesh/api/routes'
import { get } from '@nxmesh/testkit/get'
import { killNginx } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { percentile, verdict } from './figures.ts'
import { processorMilliseconds, residentMegabytes, runAgent, runMaster } from './programs.ts'

// Resident memory of the agent as it ships (one bundled file): at rest, and while it applies change after change.
const hosts = 100
const applies = 50

execFileSync(process.execPath, [new URL('../packages/agent/build.mjs', import.meta.url).pathname], { stdio: 'ignore' })
const entry = 'packages/agent/dist/nxmesh-agent.mjs'
await using directory = await scratch()
const agentDirectory = join(directory.path, 'agent')
await using master = await runMaster(join(directory.path, 'master'))
await using cleanUp = new AsyncDisposableStack()
cleanUp.defer(() => killNginx(agentDirectory))
await using agent = await runAgent(master, agentDirectory, 'bench', entry)
const rest = await settled()
const restCpu = await processorMilliseconds(agent.pid)
await delay(10_000)
const idleCpu = (await processorMilliseconds(agent.pid)) - restCpu

const port = await freePort()
const params = { workspace_id: master.workspaceId }
let last = ''
for (let index = 0; index < hosts; index++) {
  const body = { name: `Host ${index}`, server_name: `host-${index}.test`, listen_port: port, locations: locations('start') }
  last = (await master.client.call(routes.createVirtualHost, { params, body })).id
}
const seen: number[] = []
for (let round = 0; round < applies; round++) {
  await master.client.call(routes.updateVirtualHost, { params: { virtual_host_id: last }, body: { locations: locations(`${round}`) } })
  await until('the change', async () => (await get(port, `host-${hosts - 1}.test`)).body === `${round}`, 60)
  seen.push(await residentMegabytes(agent.pid))
}
const after = await settled()
console.log('the agent as it ships, in one bundle')
verdict('resident at rest', rest, 60, 'MB')
verdict(`resident at rest after ${applies} applies of ${hosts} virtual hosts`, after, 60, 'MB')
console.log(`  during the applies: p50 ${percentile(seen, 0.5).toFixed(0)} MB, max ${Math.max(...seen).toFixed(0)} MB`)
console.log(`  processor at rest: ${(idleCpu / 100).toFixed(2)} % of one core`)

function locations(text: string) {
  return [{ path: '/', custom_directives: { return: `200 ${text}` } }]
}

/** The memory once it has stopped moving: after two readings in a row within 1 MB, ten seconds apart. */
async function settled(): Promise<number> {
  let before = Number.NaN
  for (;;) {
    const now = await residentMegabytes(agent.pid)
    if (Math.abs(now - before) < 1) return now
    before = now
    await delay(10_000)
  }
}
