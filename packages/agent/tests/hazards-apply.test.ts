import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, chmod, chown, copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { binaryOf, startNginx, stopNginx, workersOf } from '../src/nginx.ts'
import { hostNginx } from './host-nginx.ts'
import {
  answering,
  applyOn,
  ask,
  type Bench,
  desired,
  distinctBinaries,
  errorLogOf,
  host,
  mastersOf,
  nginxBinaries,
  openBench,
  optionsOf,
  startOn,
  until,
} from './testing.ts'

const binaries = distinctBinaries()

function withSetting(port: number, name: string, value: string) {
  return { virtual_hosts: [answering(port, value.replace(/\W+/g, '-'))], settings: { nginx_directives: { [name]: value }, env_vars: {} } }
}

/** A host's nginx with our include line, running, and an agent that has adopted it. */
async function includeBench(bench: Bench, path: string, http: string) {
  const own = await hostNginx(bench, path)
  await own.write({ http })
  const agent = await startOn(bench, { nginx: path, mode: 'include', nginxConf: own.conf })
  await until('it serves', async () => (await agent.health()).nginx.is_running && agent.trouble === undefined)
  return { own, agent }
}

describe.each(binaries)('nginx $label', ({ path }) => {
  test('hazard 1: a zone that keeps its name and changes its key is refused on reload; either the zone is renamed or all is rolled back', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    await applyOn(agent, bench, desired(1, withSetting(port, 'limit_req_zone', '$binary_remote_addr zone=z:1m rate=10r/s')))
    const second = await applyOn(agent, bench, desired(2, withSetting(port, 'limit_req_zone', '$host zone=z:1m rate=10r/s')))
    if (second.status === 'success') return expect(await ask(port)).toContain('host')
    expect(second.status).toBe('rolled_back')
    expect(second.error_message).toContain('limit_req "z" uses the "$host" key')
    expect(await ask(port)).toContain('binary_remote_addr')
  })

  const zone = (directory: string, levels: string, folder: string) =>
    `proxy_cache_path ${directory}/${folder} levels=${levels} keys_zone=c:1m;`
  test.each([
    ['hazard 1 (host): a zone of the host that changes its key', '$binary_remote_addr', '$host', 'limit_req "z" uses'],
    ['hazard 2: a cache zone with other levels', '1:2', '2', 'cache "c" had previously different levels'],
    ['hazard 3: a cache zone with another path', 'a', 'b', 'cache "c" uses the'],
  ])('%s: nginx -t passes, the reload is refused, noticed at once and taken back', async (title, before, after, words) => {
    await using bench = await openBench()
    const port = await freePort()
    const write = (value: string) => {
      if (title.startsWith('hazard 1')) return `limit_req_zone ${value} zone=z:1m rate=1r/s;`
      return title.startsWith('hazard 2') ? zone(bench.directory, value, 'c') : zone(bench.directory, '1', value)
    }
    const { own, agent } = await includeBench(bench, path, write(before))
    await using _agent = agent
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    await own.write({ http: write(after) })
    const result = await applyOn(agent, bench, desired(2, { virtual_hosts: [answering(port, 'two')] }))
    expect(result.status, result.error_message).toBe('rolled_back')
    expect(result.error_message).toContain(words)
    expect(result.duration_ms).toBeLessThan(5000)
    expect(await ask(port)).toBe('one')
    expect(agent.state.good?.version).toBe(1)
  })

  test('hazard 4: a port that this nginx holds on one address cannot be opened on all: told before, nothing changes', async () => {
    await using bench = await openBench()
    const [port, held] = [await freePort(), await freePort()]
    const { agent } = await includeBench(bench, path, `server { listen 127.0.0.1:${held}; return 200 host; }`)
    await using _agent = agent
    const wanted = answering(held, 'ours')
    const result = await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one'), wanted] }))
    expect(result.status).toBe('failed')
    expect(result.findings).toContainEqual(expect.objectContaining({ kind: 'virtual_host', id: wanted.id, field: 'listen_port' }))
    expect(result.error_message).toContain('on a single address in this nginx')
    expect(await ask(held)).toBe('host')
  })

  test('hazard 5: a wildcard that becomes a single address in the config of the host makes nginx refuse the reload after its retries', async () => {
    await using bench = await openBench()
    const [port, held] = [await freePort(), await freePort()]
    const { own, agent } = await includeBench(bench, path, `server { listen ${held}; return 200 host; }`)
    await using _agent = agent
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    await own.write({ http: `server { listen 127.0.0.1:${held}; return 200 host; }` })
    const result = await applyOn(agent, bench, desired(2, { virtual_hosts: [answering(port, 'two')] }))
    expect(result.status).toBe('rolled_back')
    expect(result.error_message).toMatch(/bind\(\)|still could not bind/)
    expect(await ask(port)).toBe('one')
    expect(await ask(held)).toBe('host')
  })

  test('hazard 6: a port that another process holds fails before the reload, names the owner, and is applied once it is free', async () => {
    await using bench = await openBench()
    const [port, taken] = [await freePort(), await freePort()]
    await using agent = await startOn(bench, { nginx: path })
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    const squatter = createServer().listen(taken, '0.0.0.0')
    await once(squatter, 'listening')
    const wanted = answering(taken, 'two')
    const result = await applyOn(agent, bench, desired(2, { virtual_hosts: [answering(port, 'changed'), wanted] }))
    expect(result.status).toBe('failed')
    expect(result.error_message).toContain(`port ${taken} is already in use on this machine by process ${process.pid}`)
    expect(result.findings).toContainEqual(
      expect.objectContaining({ severity: 'error', kind: 'virtual_host', id: wanted.id, field: 'listen_port' }),
    )
    expect(await ask(port)).toBe('one')
    await new Promise((closed) => squatter.close(closed))
    await until('it is applied by itself', async () => (await ask(taken)) === 'two')
    await until('it is reported', () => bench.statuses.at(-1)?.status === 'success')
  })

  test('hazard 7: a listen of one’s own (ipv6only=off beside an IPv4 listen) never reaches nginx', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    const odd = answering(port, 'odd', { custom_directives: { listen: `[::]:${port} ipv6only=off` } })
    const result = await applyOn(agent, bench, desired(1, { virtual_hosts: [odd] }))
    expect(result.findings).toContainEqual(expect.objectContaining({ severity: 'error', id: odd.id }))
    expect(await readFile(join(bench.data, 'current/http.conf'), 'utf8')).not.toContain('ipv6only=off')
    await until('nginx runs', async () => (await agent.health()).nginx.is_running)
  })

  test('hazard 8: another size of a zone is applied', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    for (const [version, size] of [1, 2].entries()) {
      const config = withSetting(port, 'limit_req_zone', `$binary_remote_addr zone=z:${size}m rate=10r/s`)
      expect((await applyOn(agent, bench, desired(version + 1, config))).status).toBe('success')
    }
  })

  test('hazard 9: success means that the very next request is answered by the new config, and a burst ends on the last', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    for (let version = 1; version <= 6; version++) {
      expect((await applyOn(agent, bench, desired(version, { virtual_hosts: [answering(port, `v${version}`)] }))).status).toBe('success')
      expect(await ask(port)).toBe(`v${version}`)
    }
    for (let version = 7; version < 37; version++) agent.offer(desired(version, { virtual_hosts: [answering(port, `v${version}`)] }))
    await until('the last is applied', () => agent.state.good?.version === 36)
    expect(await ask(port)).toBe('v36')
    const applied = bench.statuses.filter((status) => status.status === 'success' && status.version > 6)
    expect(applied.length).toBeLessThan(5)
  })

  test('hazard 10: a file that changes between test and reload is noticed, and the old config comes back', async () => {
    await using bench = await openBench()
    const port = await freePort()
    const spoil = async (point: string) => {
      if (point !== 'tested' || agent.state.good?.version !== 1) return
      const [generation] = [agent.state.desired!].map(({ version, digest }) => `${version}-${digest.slice(0, 12)}`)
      await appendFile(join(bench.data, 'generations', generation!, 'http.conf'), '\nspoiled_directive;\n')
    }
    await using agent = await startOn(bench, { nginx: path }, { at: spoil })
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    const result = await applyOn(agent, bench, desired(2, { virtual_hosts: [answering(port, 'two')] }))
    expect(result).toMatchObject({ status: 'rolled_back', error_message: expect.stringContaining('spoiled_directive') })
    expect(await ask(port)).toBe('one')
  })

  test('hazard 11: after a refused config nginx can still be started from what is on disk', async () => {
    await using bench = await openBench()
    const port = await freePort()
    {
      await using agent = await startOn(bench, { nginx: path })
      await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
      const bad = answering(port, 'two', { custom_directives: { no_such_directive: 'on' } })
      expect((await applyOn(agent, bench, desired(2, { virtual_hosts: [bad] }))).status).toBe('failed')
    }
    const [master] = await mastersOf(bench.directory)
    await stopNginx(master!, { graceful: false, timeoutMs: 5000 })
    const started = await startNginx({ binary: path, prefix: join(bench.data, 'runtime'), conf: join(bench.data, 'current/nginx.conf') })
    expect(started.ok, started.output).toBe(true)
    expect(await ask(port)).toBe('one')
  })

  test('hazard 13: testing touches neither the pid file nor the logs of the nginx that runs, and an empty pid file is no nginx', async () => {
    await using bench = await openBench()
    const port = await freePort()
    const { own, agent } = await includeBench(bench, path, '')
    await using _agent = agent
    const pid = await readFile(own.pid, 'utf8')
    const bad = answering(port, 'x', { custom_directives: { no_such_directive: 'on' } })
    await applyOn(agent, bench, desired(1, { virtual_hosts: [bad] }))
    expect(await readFile(own.pid, 'utf8')).toBe(pid)
    await stopNginx(Number(pid), { graceful: false, timeoutMs: 5000 })
    await writeFile(own.pid, '')
    expect((await agent.health()).nginx.is_running).toBe(false)
  })

  test('hazard 15: warnings of nginx are findings although it exits with 0', async () => {
    await using bench = await openBench()
    const { agent } = await includeBench(
      bench,
      path,
      'server { listen 127.0.0.1:1; server_name w; } server { listen 127.0.0.1:1; server_name w; }',
    )
    await using _agent = agent
    const result = await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(await freePort(), 'one')] }))
    expect(result.status, result.error_message).toBe('success')
    expect(result.findings).toContainEqual(
      expect.objectContaining({ severity: 'warning', message: expect.stringContaining('conflicting server name') }),
    )
  })

  test('hazard 16: what nginx refuses leads back to the virtual host and its field', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    const good = answering(port, 'good', { server_name: 'good.test' })
    const bad = host(port, { server_name: 'bad.test', custom_directives: { no_such_directive: 'on' } })
    const result = await applyOn(agent, bench, desired(1, { virtual_hosts: [good, bad] }))
    expect(result).toMatchObject({ status: 'failed', error_message: expect.stringContaining('unknown directive "no_such_directive"') })
    const [finding] = result.findings
    expect(finding).toMatchObject({
      severity: 'error',
      kind: 'virtual_host',
      id: bad.id,
      field: expect.stringContaining('custom_directives'),
    })
  })

  test('hazard 17: a socket file that a killed nginx left behind does not keep it from starting', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    const [master] = await mastersOf(bench.directory)
    const workers = await workersOf(master!)
    for (const pid of [master!, ...workers.map((worker) => worker.pid)]) process.kill(pid, 'SIGKILL')
    await until('it is started again', async () => (await ask(port)) === 'one')
    await until('it is another process', async () => (await agent.health()).nginx.pid !== master)
  })

  test('hazard 18: a slow connection keeps its old worker, which is counted, and the proof does not wait for it', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    const slow = connect(port, '127.0.0.1')
    await once(slow, 'connect')
    slow.write('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n')
    await until('the connection counts', async () => (await agent.health()).nginx.active_connections > 0)
    expect((await applyOn(agent, bench, desired(2, { virtual_hosts: [answering(port, 'two')] }))).status).toBe('success')
    expect(await ask(port)).toBe('two')
    await until('the old worker is counted', async () => (await agent.health()).nginx.workers_shutting_down > 0)
    slow.destroy()
    await until('it is gone', async () => (await agent.health()).nginx.workers_shutting_down === 0)
  })

  test('hazard 19: an unchanged config costs no reload, because nginx would forget which servers are down', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    const hosts = [answering(port, 'one')]
    await applyOn(agent, bench, desired(1, { virtual_hosts: hosts }))
    const [master] = await mastersOf(bench.directory)
    // Those of the config before the first may still be on their way out.
    const serving = async () => (await workersOf(master!)).filter(({ shuttingDown }) => !shuttingDown)
    const before = await serving()
    expect((await applyOn(agent, bench, desired(2, { virtual_hosts: hosts }))).status).toBe('success')
    expect(await serving()).toEqual(before)
    expect(await errorLogOf(bench)).not.toContain('[emerg]')
  })
})

const older = nginxBinaries.find(({ label }) => label === '1.22')
const newer = nginxBinaries.find(({ label }) => label === '1.26')

test.skipIf(!older || !newer)(
  'hazard 12: after an upgrade on disk the running binary decides until a restart (needs nginx 1.22 and 1.26)',
  async () => {
    await using bench = await openBench()
    const port = await freePort()
    const binary = join(bench.directory, 'bin/nginx')
    await mkdir(join(bench.directory, 'bin'))
    await copyFile(older!.path, binary)
    await chmod(binary, 0o755)
    await using agent = await startOn(bench, { nginx: binary })
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
    const [master] = await mastersOf(bench.directory)
    await copyFile(newer!.path, `${binary}.new`)
    await rename(`${binary}.new`, binary)
    expect(await binaryOf(master!, binary)).toBe(`/proc/${master}/exe`)

    const health = await agent.health()
    expect([health.nginx.running_version, health.nginx.installed_version].map((version) => version.slice(0, 4))).toEqual(['1.22', '1.26'])
    expect(health.alerts).toContainEqual(expect.objectContaining({ id: 'nginx.upgraded' }))
    expect((await applyOn(agent, bench, desired(2, { virtual_hosts: [answering(port, 'two')] }))).status).toBe('success')
    expect(await ask(port)).toBe('two')
    expect(await mastersOf(bench.directory)).toEqual([master])

    expect(await agent.command('r1', { kind: 'restart', force: true })).toMatchObject({ success: true })
    expect((await agent.health()).nginx.running_version).toMatch(/^1\.26/)
    expect(await ask(port)).toBe('two')
  },
)

const unprivileged = process.getuid?.() === 0 ? 65_534 : undefined

test.skipIf(unprivileged === undefined)(
  'hazard 14: the test runs as the user of the master, so a port it may not open fails there (needs root to step down)',
  async () => {
    await using bench = await openBench()
    await chmod(bench.directory, 0o755)
    await mkdir(bench.data)
    await chown(bench.data, unprivileged!, unprivileged!)
    const update = desired(1, { virtual_hosts: [answering(81, 'one')] })
    const order = { options: optionsOf(bench), update, point: undefined, spoil: false }
    const child = spawn(process.execPath, [join(import.meta.dirname, 'crash-agent.ts'), JSON.stringify(order)], {
      uid: unprivileged,
      gid: unprivileged,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
    await once(child, 'close')
    expect(output).toContain('"status":"failed"')
    expect(output).toMatch(/Permission denied/)
  },
)
