// Sends what the API's own document describes, right and wrong in every way, and holds each answer to the document.
import { Agent } from 'node:http'
import { startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { type Scratch, scratch } from '@nxmesh/testkit/scratch'
import { type OpenStore, stores } from '@nxmesh/testkit/stores'
import { unindexed } from '@nxmesh/testkit/unindexed'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkAnswers } from './fuzz/check.ts'
import type { Document } from './fuzz/document.ts'
import { randomOf } from './fuzz/random.ts'
import { newRequest, pickTarget, type Sent, targetsOf } from './fuzz/requests.ts'
import { send } from './fuzz/send.ts'
import { newWorld } from './fuzz/world.ts'

const requests = Number(process.env['NXMESH_FUZZ_REQUESTS'] ?? 2600)
const seed = Number(process.env['NXMESH_FUZZ_SEED'] ?? Date.now() % 1_000_000)
const perWorld = 400

describe.each(stores)('on $name', (kind) => {
  let store: OpenStore
  let directory: Scratch
  let mesh: TestMaster
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })

  beforeAll(async () => {
    store = await kind.open()
    directory = await scratch()
    mesh = await startTestMaster(directory.path, await store.settings())
  })

  afterAll(async () => {
    agent.destroy()
    await mesh?.[Symbol.asyncDispose]()
    await directory?.[Symbol.asyncDispose]()
    await store?.[Symbol.asyncDispose]()
  })

  test(
    `${requests} requests get answers that the document describes (NXMESH_FUZZ_SEED=${seed})`,
    async () => {
      const document = (await (await fetch(`${mesh.base}/v1/openapi.json`)).json()) as Document
      const check = checkAnswers(document)
      const random = randomOf(seed)
      const targets = targetsOf(document)
      const problems = new Map<string, string>()
      const statuses = new Map<string, Map<number, number>>(targets.map(({ operation }) => [operation.operationId, new Map()]))
      for (let sent = 0; sent < requests; ) {
        const world = await newWorld(mesh)
        for (const end = Math.min(sent + perWorld, requests); sent < end && !(await world.isOver()); sent++) {
          const asked = newRequest(document, pickTarget(targets, world, random), world, random)
          const { operationId } = asked.operation
          const received = await send(mesh.base, agent, asked)
          const counts = statuses.get(operationId)!
          counts.set(received.status, (counts.get(received.status) ?? 0) + 1)
          for (const problem of check(asked.operation, received))
            problems.set(`${operationId} ${problem.slice(0, 80)}`, told(asked, problem))
          world.hear(asked, received)
        }
      }
      expect([...problems.values()].slice(0, 20)).toEqual([])
      const good = [...statuses.values()].filter((counts) => [...counts.keys()].some((status) => status < 300))
      expect(good.length, tableOf(statuses)).toBeGreaterThan((statuses.size * 2) / 3)
    },
    60_000 + requests * 100,
  )

  test('no query of all these reads a whole table', async () => {
    expect(mesh.queries.size).toBeGreaterThan(100)
    expect(await unindexed(mesh.master.ctx.db, mesh.queries)).toEqual([])
  })
})

function told({ method, path, headers, body }: Sent, problem: string): string {
  const { authorization: _secret, ...shown } = headers
  return `${method} ${path.slice(0, 300)} ${JSON.stringify(shown)} ${body?.toString().slice(0, 1000) ?? ''}\n  ${problem}`
}

function tableOf(statuses: Map<string, Map<number, number>>): string {
  const line = ([id, counts]: [string, Map<number, number>]) =>
    `${id}: ${[...counts].map(([status, count]) => `${status}×${count}`).join(' ')}`
  return [...statuses]
    .map(line)
    .sort((a, b) => (a < b ? -1 : 1))
    .join('\n')
}
