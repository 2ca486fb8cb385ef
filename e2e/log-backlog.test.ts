import { chmod, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { startAgent } from '@nxmesh/agent/start'
import { startCuttable } from '@nxmesh/testkit/cuttable'
import { startMesh } from '@nxmesh/testkit/mesh'
import { requestTimes } from '@nxmesh/testkit/requests'
import { addHost, linesOf, metricsOf } from '@nxmesh/testkit/traffic'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

const token = 'token-of-those-who-measure-it'
const logBacklog = 100_000
const total = 1000

test('what waits for a master that is away is bounded on the disk: the oldest lines go, are counted, and the newest arrive', async () => {
  await using mesh = await startMesh({ agents: 0, settings: ['--metrics-token', token] })
  // Workers open the new logs themselves, as a user of their own.
  await chmod(mesh.directory, 0o711)
  await using line = await startCuttable(mesh.master.agents.port)
  const { id, dataDir, options } = await mesh.newAgent('backlogged', { options: { master: `127.0.0.1:${line.port}`, logBacklog } })
  await using _agent = await startAgent(options, { telemetry: { lookEvery: 20, measureEvery: 200 } })
  const host = await addHost(mesh, 'busy')
  await mesh.settled(id)
  line.cut()
  line.reset()
  await until('the agent to be away', async () => (await mesh.show(id)).state === 'offline')

  const runtime = join(dataDir, 'runtime')
  const sizes = async () => {
    const names = (await readdir(runtime)).filter((name) => name.startsWith('access.log'))
    const found = await Promise.all(names.map((name) => stat(join(runtime, name)).catch(() => undefined)))
    return found.map((file) => file?.size ?? 0)
  }
  for (let sent = 0; sent < total; sent += 40) {
    await requestTimes(host.port, host.name, 40, (index) => `/?n=${sent + index}&pad=${'x'.repeat(500)}`)
    const present = () => stat(join(runtime, 'access.log')).catch(() => undefined)
    await until('the log to be rotated', async () => ((await present())?.size ?? logBacklog) < logBacklog / 4)
  }
  await until('the oldest to be let go', async () => {
    const all = (await sizes()).toSorted((a, b) => a - b)
    return all.slice(0, -2).reduce((sum, size) => sum + size, 0) <= logBacklog
  })

  line.mend()
  await until('all to be counted', async () => (await metricsOf(mesh)).requests_total === total)
  const dropped = await until('what was let go to be told', async () => {
    const fleet = await fetch(`${mesh.base}/metrics/fleet`, { headers: { authorization: `Bearer ${token}` } })
    return Number(/^nxmesh_agent_log_lines_dropped_total\{.*\} (\d+)/m.exec(await fleet.text())?.[1])
  })
  const lines = await until('the others to arrive', async () => {
    const found = await linesOf(mesh)
    return found.length + dropped === total && found
  })
  expect(lines.at(-1)?.uri).toContain(`n=${total - 1}&`)
  expect(dropped).toBeGreaterThan(0)
}, 120_000)
