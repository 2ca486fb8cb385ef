import { randomBytes } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import { startTestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'
import { line, newTelemetryAgent } from './telemetry-agent.ts'

const MB = 2 ** 20
const room = 75
const perBatch = 200

test('the oldest file goes when its room is used up, with all that was in it, and nothing goes before', async () => {
  await using directory = await scratch()
  await using mesh = await startTestMaster(directory.path, ['--telemetry-max-size', `${room}MB`])
  const { client, master, workspaceId } = mesh
  const { telemetry, authority } = master.ctx
  using agent = await newTelemetryAgent({ client, workspaceId, port: master.agents.port, caPem: authority.caPem }, 'chatty')
  const files = join(directory.path, 'telemetry')
  const dayFiles = async () => (await readdir(files).catch(() => [])).filter((name) => name.endsWith('.duckdb'))
  const used = async () => {
    const names = (await readdir(files)).filter((name) => name.includes('.duckdb'))
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(files, name))).size))
    return sizes.reduce((sum, size) => sum + size, 0)
  }
  const total = async () => (await client.call(routes.listAccessLogs, { params: { workspace_id: workspaceId }, query: {} })).meta.total
  // It looks for what has no room when it starts, and every minute from then on.
  const lookAgain = async () => {
    const { restarts } = telemetry.status()
    process.kill(telemetry.status().pid!, 'SIGKILL')
    await until('the store to be back', () => telemetry.status().restarts > restarts && telemetry.status().state === 'ready')
  }

  let sequence = 0
  const send = async (number: number) => {
    // Nothing that could be compressed.
    const uris = Array.from({ length: perBatch }, () => `/?${randomBytes(6000).toString('base64url')}`)
    const entries = uris.map((uri) => ({ ...line(Date.now(), { uri }), message: '' }))
    const batch = { spool: 's', sequence: BigInt(number), entries }
    await until('the batch to be taken', async () => (await agent.logs(batch)).success)
  }
  while ((await dayFiles()).length < 2) await send(++sequence)
  const inFirst = (sequence - 1) * perBatch
  await lookAgain()
  await send(++sequence)
  expect([(await dayFiles()).length, await total()]).toEqual([2, inFirst + 2 * perBatch])

  while ((await used()) <= (room + 5) * MB) await send(++sequence)
  await lookAgain()
  await until('the oldest file to be gone', async () => (await dayFiles()).length === 1)
  expect(await used()).toBeLessThan(room * MB)
  expect(await total()).toBe(sequence * perBatch - inFirst)
  // What the file knew is not forgotten with it: what was stored once is not stored again.
  await send(1)
  await send(++sequence)
  expect(await total()).toBe(sequence * perBatch - inFirst)
}, 120_000)
