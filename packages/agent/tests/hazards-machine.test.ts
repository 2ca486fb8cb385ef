import { spawnSync } from 'node:child_process'
import { chmod, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { openFilesOf } from '../src/machine-findings.ts'
import { hostNginx } from './host-nginx.ts'
import { answering, applyOn, ask, type Bench, desired, distinctBinaries, host, mastersOf, openBench, startOn, until } from './testing.ts'

async function includeBench(bench: Bench, path: string, http: string) {
  const own = await hostNginx(bench, path)
  await own.write({ http })
  const agent = await startOn(bench, { nginx: path, mode: 'include', nginxConf: own.conf })
  await until('it serves', async () => (await agent.health()).nginx.is_running && agent.trouble === undefined)
  return { own, agent }
}

function allowFiles(pid: number, most: number): void {
  const { status, stderr } = spawnSync('prlimit', ['--pid', String(pid), `--nofile=${most}:${most}`], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

describe.each(distinctBinaries())('nginx $label', ({ path }) => {
  test('hazard 35: a server of the host that listens on one address hides ours there: the finding says so', async () => {
    await using bench = await openBench()
    const [port, other] = [await freePort(), await freePort()]
    const hiding = `server { listen 127.0.0.1:${port}; return 200 host; } server { listen ${port}; listen ${other}; server_name b; }`
    const { agent } = await includeBench(bench, path, hiding)
    await using _agent = agent
    const [hidden, open] = [answering(port, 'ours'), answering(other, 'ours')]
    const result = await applyOn(agent, bench, desired(1, { virtual_hosts: [hidden, open] }))
    expect(result).toMatchObject({ status: 'success' })
    expect(await ask(port)).toBe('host')
    expect(await ask(other)).toBe('ours')
    const findings = result.findings.filter(({ field }) => field === 'listen_port')
    expect(findings).toMatchObject([{ severity: 'warning', id: hidden.id, message: expect.stringContaining('requests to 127.0.0.1') }])
  })

  test('hazard 92: more connections than the nginx that runs may open files are a warning, whatever this process may', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    const config = (text: string, nginx_directives: Record<string, string>) => ({
      virtual_hosts: [answering(port, text)],
      settings: { nginx_directives, env_vars: {} },
    })
    expect((await applyOn(agent, bench, desired(1, config('one', { worker_connections: '300' })))).findings).toEqual([])
    const [master] = await mastersOf(bench.directory)
    allowFiles(master!, 200)
    expect(await openFilesOf(master!)).toBe(200)
    const field = 'nginx_directives.worker_connections'
    const message = expect.stringContaining('200 files only, too few for worker_connections 300')
    const second = await applyOn(agent, bench, desired(2, config('two', { worker_connections: '300' })))
    expect(second).toMatchObject({ status: 'success', findings: [{ severity: 'warning', kind: 'settings', field, message }] })
    expect((await applyOn(agent, bench, desired(3, config('three', {})))).findings).toMatchObject([{ field }])
    const raised = { worker_connections: '150', worker_rlimit_nofile: '160' }
    expect((await applyOn(agent, bench, desired(4, config('four', raised)))).findings).toEqual([])
    expect(await ask(port)).toBe('four')
  })

  test('hazard 92: so it is with those of the host’s own nginx.conf', async () => {
    await using bench = await openBench()
    const { own, agent } = await includeBench(bench, path, '')
    await using _agent = agent
    allowFiles(Number((await agent.health()).nginx.pid), 100)
    const result = await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(await freePort(), 'one')] }))
    const message = expect.stringMatching(/100 files only, too few for worker_connections 128 in the host's nginx.conf/)
    expect(result, own.conf).toMatchObject({ status: 'success', findings: [{ severity: 'warning', message }] })
  })

  test('hazard 93: a password file that is not there passes and denies everybody: the finding names the field', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    const file = join(bench.directory, 'passwords')
    await chmod(bench.directory, 0o755)
    const locked = { auth_basic: 'closed', auth_basic_user_file: `"${file}"` }
    const location = { path: '/', root: '/tmp', custom_headers: [], rewrite_rules: [], custom_directives: locked }
    const site = host(port, { server_name: '127.0.0.1', locations: [location] })
    const status = async () => {
      const authorization = `Basic ${Buffer.from('me:secret').toString('base64')}`
      return (await fetch(`http://127.0.0.1:${port}/missing`, { headers: { authorization } })).status
    }
    const field = 'locations.0.custom_directives.auth_basic_user_file'
    const first = await applyOn(agent, bench, desired(1, { virtual_hosts: [site] }))
    expect(first).toMatchObject({ status: 'success', findings: [{ severity: 'warning', id: site.id, field }] })
    expect(await status()).toBe(403)
    await writeFile(file, 'me:{PLAIN}secret\n')
    expect((await applyOn(agent, bench, desired(2, { virtual_hosts: [site] }))).findings).toEqual([])
    expect(await status()).toBe(404)
  })

  test('hazard 91: the folder of the logs is made where it is missing; users name no log', async () => {
    await using bench = await openBench()
    const port = await freePort()
    const odd = answering(port, 'one', { custom_directives: { access_log: `${bench.directory}/none/$host.log` } })
    {
      await using agent = await startOn(bench, { nginx: path })
      const result = await applyOn(agent, bench, desired(1, { virtual_hosts: [odd] }))
      expect(result.findings).toMatchObject([{ severity: 'error', id: odd.id, field: 'custom_directives.access_log' }])
      await agent.command('s', { kind: 'stop', graceful: false, timeout_seconds: 5 })
    }
    await rm(join(bench.data, 'runtime'), { recursive: true })
    await using agent = await startOn(bench, { nginx: path })
    await agent.command('r', { kind: 'restart', force: true })
    expect(await ask(port)).toBe('one')
    await until('it is logged', async () => (await stat(join(bench.data, 'runtime/access.log'))).size > 0)
  })
})
