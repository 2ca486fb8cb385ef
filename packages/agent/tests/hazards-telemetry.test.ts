import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { fromBinary } from '@bufbuild/protobuf'
import { upstreamInput } from '@nxmesh/model/upstream'
import { LogBatchSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { reopenLogs } from '../src/nginx.ts'
import { readAccessLine } from '../src/telemetry/access-line.ts'
import type { Progress } from '../src/telemetry/checkpoint.ts'
import { openFollower } from '../src/telemetry/follower.ts'
import { answering, applyOn, ask, type Bench, desired, distinctBinaries, host, mastersOf, openBench, startOn, until } from './testing.ts'

const upstreamId = '00000000-0000-7000-8002-000000000075'

/** Reads the access log of a bench's nginx as the agent does; `lines` gives all that were written so far. */
function follow(bench: Bench) {
  const progress: Progress = { spool: 's', last: 0, place: null, cuts: [], dropped: 0 }
  const kind = {
    add(text: Buffer, batch: { add(entry: ReturnType<typeof readAccessLine>['entry']): void }) {
      const lines = text.toString().trimEnd().split('\n')
      for (const line of lines) batch.add(readAccessLine(line, 1).entry)
      return lines.length
    },
  }
  const path = join(bench.data, 'runtime/access.log')
  const places = {
    path,
    aside: join(bench.data, 'telemetry'),
    processName: 'nginx',
    savedAt: 0,
    startedAt: 0,
    fromEnd: false,
    mostUnpacked: 0,
  }
  const onLoss = (message: string) => expect.unreachable(message)
  const follower = openFollower({ ...places, kind, progress, onLoss })
  const found: Record<string, string>[] = []
  return {
    path,
    lines() {
      for (let cut = follower.cut(); cut; cut = follower.cut())
        found.push(...fromBinary(LogBatchSchema, cut.bytes).entries.map(({ fields }) => ({ ...fields })))
      return found
    },
  }
}

describe.each(distinctBinaries())('nginx $label', ({ path }) => {
  test('hazard 75: what a request with two tries says of its upstream stays a list, and is counted once, as it was answered', async () => {
    await using bench = await openBench()
    const [port, backend, dead] = [await freePort(), await freePort(), await freePort()]
    await using agent = await startOn(bench, { nginx: path })
    const servers = [dead, backend].map((each) => ({ address: `127.0.0.1:${each}`, max_fails: 0 }))
    const upstream = { ...upstreamInput.parse({ name: 'two', servers }), id: upstreamId }
    const location = { path: '/', upstream_id: upstreamId, custom_headers: [], rewrite_rules: [], custom_directives: {} }
    const virtual_hosts = [host(port, { locations: [location] }), answering(backend, 'answer')]
    expect(await applyOn(agent, bench, desired(1, { virtual_hosts, upstreams: [upstream] }))).toMatchObject({ status: 'success' })
    for (let request = 0; request < 8; request++) expect(await ask(port)).toBe('answer')
    const log = follow(bench)
    const retried = await until('a retry is logged', () => log.lines().find(({ upstream_status }) => upstream_status?.includes(',')))
    expect(retried).toMatchObject({
      status: '200',
      upstream_status: '502, 200',
      upstream_addr: `127.0.0.1:${dead}, 127.0.0.1:${backend}`,
      response_time_ms: expect.stringMatching(/^\d+$/),
    })
    expect(log.lines().every(({ status }) => status === '200')).toBe(true)
  })

  test('hazard 87: what the agent asks is not counted, and a restart begins anew without a fall', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    const counted = async () => {
      const { active_connections, total_requests, requests_per_second } = (await agent.health()).nginx
      expect(requests_per_second).toBeGreaterThanOrEqual(0)
      return { active_connections, total_requests }
    }
    const idle = { active_connections: 0, total_requests: (await counted()).total_requests }
    for (let look = 0; look < 3; look++) expect(await counted()).toEqual(idle)
    for (let request = 0; request < 5; request++) await ask(port)
    await until('they are over', async () => (await counted()).active_connections === 0)
    expect((await counted()).total_requests).toBe(idle.total_requests + 5)
    await applyOn(agent, bench, desired(2, { virtual_hosts: [answering(port, 'two')] }))
    expect((await counted()).total_requests).toBeGreaterThanOrEqual(idle.total_requests + 5)
    await agent.command('r', { kind: 'restart', force: true })
    expect((await counted()).total_requests).toBeLessThan(5)
    const [before] = [(await counted()).total_requests]
    await ask(port)
    await until('it is counted', async () => (await counted()).total_requests === before + 1)
  })

  test('hazard 89: after a rename nginx writes on to the old file, which is read before the new one', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    const log = follow(bench)
    const uris = () => log.lines().flatMap(({ uri }) => uri ?? [])
    await ask(port, '/before')
    await until('it is read', () => uris().includes('/before'))
    await rename(log.path, `${log.path}.1`)
    await ask(port, '/renamed')
    await until('it is read', () => uris().includes('/renamed'))
    reopenLogs((await mastersOf(bench.directory))[0]!)
    const asked: string[] = []
    await until('it is in the new file', async () => {
      asked.push(`/new${asked.length}`)
      await ask(port, asked.at(-1))
      return uris().includes(asked.at(-1)!)
    })
    expect(uris()).toEqual(['/before', '/renamed', ...asked])
  })
})
