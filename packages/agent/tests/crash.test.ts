import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { testConfig } from '../src/nginx.ts'
import { type FaultPoint, faultPoints } from '../src/scope.ts'
import type { CrashOrder } from './crash-agent.ts'
import { answering, applyOn, ask, desired, mastersOf, openBench, optionsOf, startOn, until } from './testing.ts'

const program = join(import.meta.dirname, 'crash-agent.ts')
const onTheWayBack = new Set<FaultPoint>(['restoring', 'restored'])

async function runCrashing(order: CrashOrder): Promise<{ signal: NodeJS.Signals | null; output: string }> {
  const child = spawn(process.execPath, [program, JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { signal, output }
}

describe('a kill -9 of the agent', () => {
  test.each(faultPoints)('at "%s": nginx goes on, and the next start finishes or undoes it', async (point) => {
    await using bench = await openBench()
    const port = await freePort()
    {
      await using agent = await startOn(bench)
      await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    }
    const [master] = await mastersOf(bench.directory)
    const spoil = onTheWayBack.has(point)
    const update = desired(2, { virtual_hosts: [answering(port, 'two')] })
    const { signal, output } = await runCrashing({ options: optionsOf(bench), update, point, spoil })
    expect(signal, output).toBe('SIGKILL')

    expect(await mastersOf(bench.directory)).toEqual([master])
    expect(['one', 'two']).toContain(await ask(port))

    await using agent = await startOn(bench)
    const startable = await testConfig({
      binary: '/usr/sbin/nginx',
      prefix: join(bench.data, 'runtime'),
      conf: join(bench.data, 'current/test.conf'),
    })
    expect(startable.ok, startable.output).toBe(true)
    if (point === 'accepting') await applyOn(agent, bench, update)
    await until('the second config serves', async () => agent.state.good?.version === 2 && (await ask(port)) === 'two')
    expect(agent.state.good?.digest).toBe(update.digest)
    expect(await mastersOf(bench.directory)).toEqual([master])
    const generations = await readdir(join(bench.data, 'generations'))
    expect(generations).toContain(basename(await readlink(join(bench.data, 'current'))))
    for (const name of generations) expect(await readdir(join(bench.data, 'generations', name))).toContain('manifest.json')
    // The agent may just be writing one that it will rename.
    await until('no half-written file is left', async () => (await readdir(bench.data)).every((name) => !name.endsWith('.tmp')))
  })

  test('a spoiled config without a kill is rolled back, and the old one serves', async () => {
    await using bench = await openBench()
    const port = await freePort()
    {
      await using agent = await startOn(bench)
      await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    }
    const update = desired(2, { virtual_hosts: [answering(port, 'two')] })
    const { output } = await runCrashing({ options: optionsOf(bench), update, point: undefined, spoil: true })
    expect(output).toContain('"status":"rolled_back"')
    expect(output).toContain('unknown directive \\"spoiled_directive\\"')
    expect(await ask(port)).toBe('one')
  })
})
