import { readlink } from 'node:fs/promises'
import { basename } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { isAlive } from '../src/processes.ts'
import { answering, applyOn, ask, desired, distinctBinaries, mastersOf, openBench, startOn, until } from './testing.ts'

describe.each(distinctBinaries())('apply on nginx $label', ({ path }) => {
  test('a change is served, and an unchanged config costs no reload', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    const hosts = [answering(port, 'one')]
    const first = await applyOn(agent, bench, desired(1, { virtual_hosts: hosts }))
    expect(first).toMatchObject({ status: 'success', version: 1, config_id: 'config-1' })
    expect(await ask(port)).toBe('one')
    expect(bench.statuses.map((status) => status.status)).toEqual(['pending', 'validating', 'applying', 'success'])

    const workers = (await agent.health()).nginx
    const again = await applyOn(agent, bench, desired(2, { virtual_hosts: hosts }))
    expect(again.status).toBe('success')
    expect(agent.state.good).toMatchObject({ version: 2, digest: first.digest })
    expect((await agent.health()).nginx.pid).toBe(workers.pid)
    expect(basename(await readlink(`${bench.data}/current`))).toBe(agent.state.good?.generation)

    await applyOn(agent, bench, desired(3, { virtual_hosts: [answering(port, 'three')] }))
    expect(await ask(port)).toBe('three')
    const health = await agent.health()
    expect(health.serving_digest).toBe(agent.state.good?.digest)
    expect(health.nginx).toMatchObject({ is_running: true, pid: workers.pid })
  })

  test('an older version is refused, the agent ends and starts, nginx serves throughout', async () => {
    await using bench = await openBench()
    const port = await freePort()
    {
      await using agent = await startOn(bench, { nginx: path })
      await applyOn(agent, bench, desired(5, { virtual_hosts: [answering(port, 'five')] }))
      expect(await applyOn(agent, bench, desired(4, { virtual_hosts: [answering(port, 'four')] }))).toMatchObject({ status: 'failed' })
    }
    expect(await ask(port)).toBe('five')
    const [master] = await mastersOf(bench.directory)
    await using agent = await startOn(bench, { nginx: path })
    await until('it is adopted', async () => (await agent.health()).nginx.pid === master)
    expect(await isAlive(master!)).toBe(true)
    expect(await ask(port)).toBe('five')
  })
})
