import { appendFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { workersOf } from '../src/nginx.ts'
import { isAlive } from '../src/processes.ts'
import { startAgent } from '../src/start.ts'
import { hostNginx } from './host-nginx.ts'
import { answering, applyOn, ask, desired, mastersOf, openBench, optionsOf, startOn, until } from './testing.ts'

describe('owned mode', () => {
  test('nginx runs before any master has spoken', async () => {
    await using bench = await openBench()
    await using agent = await startOn(bench)
    await until('nginx answers', async () => (await agent.health()).serving_digest !== '')
    expect(agent.state.good?.version).toBe(0)
  })

  test('an nginx that is killed is started again with what it served', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench)
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    for (let round = 0; round < 2; round++) {
      const [master] = await mastersOf(bench.directory)
      for (const pid of [master!, ...(await workersOf(master!)).map((worker) => worker.pid)]) process.kill(pid, 'SIGKILL')
      await until('another master runs', async () => ![undefined, master].includes((await mastersOf(bench.directory))[0]))
      await until('it serves again', async () => (await ask(port)) === 'one')
    }
    expect(bench.log.join('\n')).toContain('nginx has ended; it is started again')
  })

  test('an nginx whose pid file was removed is still known, and takes changes', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench)
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    const before = await mastersOf(bench.directory)
    await rm(join(bench.data, 'runtime/nginx.pid'))
    expect(await applyOn(agent, bench, desired(2, { virtual_hosts: [answering(port, 'two')] }))).toMatchObject({ status: 'success' })
    expect(await ask(port)).toBe('two')
    expect(await mastersOf(bench.directory)).toEqual(before)
    expect((await agent.health()).nginx).toMatchObject({ pid: before[0] })
  })

  test('workers whose master alone was killed give way to an nginx that takes changes', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench)
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    const [master] = await mastersOf(bench.directory)
    const workers = (await workersOf(master!)).map((worker) => worker.pid)
    process.kill(master!, 'SIGKILL')
    await until('another master runs', async () => ![undefined, master].includes((await mastersOf(bench.directory))[0]))
    await until('the orphans are gone', async () => (await Promise.all(workers.map(isAlive))).every((alive) => !alive))
    expect(await applyOn(agent, bench, desired(2, { virtual_hosts: [answering(port, 'two')] }))).toMatchObject({ status: 'success' })
    expect(await ask(port)).toBe('two')
  })

  test('a stop ends workers whose master was killed', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench)
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    const [master] = await mastersOf(bench.directory)
    process.kill(master!, 'SIGKILL')
    await agent.command('s1', { kind: 'stop', graceful: true, timeout_seconds: 5 })
    await until('nobody answers', async () => (await ask(port).catch(() => 'nobody')) !== 'one')
    expect(await mastersOf(bench.directory)).toEqual([])
  })

  test('a last good config that no longer starts gives way to one that does, and the desired one is tried again', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench)
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    await appendFile(join(bench.data, 'current/http.conf'), '\nspoiled_directive;\n')
    const [master] = await mastersOf(bench.directory)
    for (const pid of [master!, ...(await workersOf(master!)).map((worker) => worker.pid)]) process.kill(pid, 'SIGKILL')
    await until('it serves again', async () => (await ask(port)) === 'one')
    expect(agent.state.good).toMatchObject({ version: 1 })
  })

  test('a stop lasts, also across a restart of the agent, and what is sent meanwhile is applied with the next start', async () => {
    await using bench = await openBench()
    const port = await freePort()
    {
      await using agent = await startOn(bench)
      await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
      expect(await agent.command('s1', { kind: 'stop', graceful: true, timeout_seconds: 5 })).toEqual({
        success: true,
        message: 'nginx was stopped',
      })
      expect(await mastersOf(bench.directory)).toEqual([])
    }
    await using agent = await startOn(bench)
    agent.offer(desired(2, { virtual_hosts: [answering(port, 'two')] }))
    await until('it is stored and waits', () => bench.statuses.some((status) => status.version === 2 && status.findings.length > 0))
    expect(await mastersOf(bench.directory)).toEqual([])
    expect((await agent.health()).alerts).toContainEqual(expect.objectContaining({ id: 'nginx.stopped' }))
    expect(await agent.command('s2', { kind: 'restart', force: false })).toMatchObject({ success: true })
    await until('the newest serves', async () => (await ask(port)) === 'two')
  })

  test('commands: reload brings new workers, the same id is not run twice, a test touches nothing', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench)
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    const [master] = await mastersOf(bench.directory)
    const fresh = async () => (await workersOf(master!)).filter((worker) => !worker.shuttingDown).map((worker) => worker.pid)
    const before = await fresh()
    expect(await agent.command('c1', { kind: 'reload' })).toMatchObject({ success: true })
    const after = await fresh()
    expect(after).not.toEqual(before)
    await agent.command('c1', { kind: 'reload' })
    expect(await fresh()).toEqual(after)
    const health = await agent.health()
    expect(health.drift).toEqual([])

    const good = await agent.command('v1', {
      kind: 'validate_config',
      content: 'events {}\nhttp { server { listen 127.0.0.1:1; return 204; } }\n',
    })
    expect(good, good.message).toMatchObject({ success: true })
    const bad = await agent.command('v2', { kind: 'validate_config', content: 'events {}\nhttp { nonsense on; }\n' })
    expect(bad).toMatchObject({ success: false, message: expect.stringContaining('unknown directive "nonsense"') })
    expect(bad.message).not.toContain(bench.data)
    const code = await agent.command('v3', { kind: 'validate_config', content: 'load_module /tmp/x.so;\nevents {}\n' })
    expect(code).toMatchObject({ success: false, message: expect.stringContaining('load_module') })
  })

  test('drift is told with the names of the files, and a reload command writes them anew', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench)
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    await appendFile(join(bench.data, 'current/http.conf'), '# a change by hand\n')
    await writeFile(join(bench.data, 'current/more.conf'), '')
    expect((await agent.health()).drift.toSorted()).toEqual(['http.conf', 'more.conf (added)'])
    expect(await agent.command('c1', { kind: 'reload' })).toMatchObject({ success: true })
    expect((await agent.health()).drift).toEqual([])
    expect(await readFile(join(bench.data, 'current/http.conf'), 'utf8')).not.toContain('by hand')
    expect(await ask(port)).toBe('one')
  })

  test('a second agent on the same data directory is refused', async () => {
    await using bench = await openBench()
    await using _agent = await startOn(bench)
    await expect(startAgent(optionsOf(bench))).rejects.toThrow('another agent already runs on the data directory')
  })

  test('a missing nginx and a too long path are clear errors', async () => {
    await using bench = await openBench()
    await expect(startAgent(optionsOf(bench, { nginx: '/no/such/nginx' }))).rejects.toThrow('there is no file /no/such/nginx')
    await expect(startAgent(optionsOf(bench, { dataDir: join(bench.directory, 'x'.repeat(120)) }))).rejects.toThrow('path is too long')
  })
})

describe('include mode', () => {
  const nginx = '/usr/sbin/nginx'

  test('without the include line the agent says which line to add and where, and goes on by itself once it is there', async () => {
    await using bench = await openBench()
    const port = await freePort()
    const own = await hostNginx(bench, nginx)
    await own.write({ include: false })
    await own.start()
    await using agent = await startOn(bench, { mode: 'include', nginxConf: own.conf })
    const result = await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    expect(result.status).toBe('failed')
    expect(result.error_message).toContain(`add the line "include ${join(bench.data, 'current/http.conf')};" inside its http { } block`)
    await own.write({})
    await until('it serves', async () => (await ask(port)) === 'one')
    await until('it is told', () => bench.statuses.at(-1)?.status === 'success')
  })

  test('a running nginx of the host is adopted, keeps its own servers, and an error in the config of the host changes nothing', async () => {
    await using bench = await openBench()
    const [port, others] = [await freePort(), await freePort()]
    const own = await hostNginx(bench, nginx)
    const server = `server { listen 127.0.0.1:${others}; return 200 host; }`
    await own.write({ http: server, include: false })
    await own.start()
    const pid = Number(await readFile(own.pid, 'utf8'))
    await own.write({ http: server })
    await using agent = await startOn(bench, { mode: 'include', nginxConf: own.conf })
    const result = await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    expect(result.status, result.error_message).toBe('success')
    expect([await ask(port), await ask(others)]).toEqual(['one', 'host'])
    expect((await agent.health()).nginx.pid).toBe(pid)

    await own.write({ http: `${server} host_mistake;` })
    const second = await applyOn(agent, bench, desired(2, { virtual_hosts: [answering(port, 'two')] }))
    expect(second).toMatchObject({ status: 'failed' })
    expect(second.findings[0]).toMatchObject({ file: own.conf })
    expect([await ask(port), await ask(others)]).toEqual(['one', 'host'])
    await own.write({ http: server })
    await until('it is applied once the host is mended', async () => (await ask(port)) === 'two', 40_000)
  })
})
