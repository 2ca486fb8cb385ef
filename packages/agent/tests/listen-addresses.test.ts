import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { AgentConfig, ConfigVirtualHost } from '@nxmesh/model/agent-config'
import { defaultSettings } from '@nxmesh/model/settings'
import { streamHostInput } from '@nxmesh/model/stream-host'
import { selfSignedServer } from '@nxmesh/testkit/certificates'
import { hasModule, withOwnModules } from '@nxmesh/testkit/own-modules'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { watchAddresses } from '../src/addresses.ts'
import { openTcpSockets } from '../src/ports.ts'
import type { CrashOrder } from './crash-agent.ts'
import { hostNginx } from './host-nginx.ts'
import {
  answering,
  applyOn,
  ask,
  type Bench,
  desired,
  distinctBinaries,
  errorLogOf,
  mastersOf,
  openBench,
  optionsOf,
  startOn,
  until,
} from './testing.ts'

type Listening = Pick<ConfigVirtualHost, 'listen_addresses'>

const everywhere: Listening = {}
const one: Listening = { listen_addresses: ['127.0.0.1'] }

/** The addresses on which nginx has a port open. */
async function openAt(bench: Bench, port: number): Promise<string[]> {
  const [master] = await mastersOf(bench.directory)
  return (await openTcpSockets(master!))
    .filter((socket) => socket.port === port)
    .map(({ address }) => address)
    .sort()
}

describe.each(distinctBinaries())('nginx $label', ({ path }) => {
  test('hazards 4, 5: a port goes from all addresses to single ones, to others and back while nginx runs', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    let masters: number[] | undefined
    const all = ['0.0.0.0', '::']
    const stations = [all, ['127.0.0.1'], all, ['127.0.0.2', '::1'], ['127.0.0.3'], all]
    for (const [version, sockets] of stations.entries()) {
      const listening = sockets === all ? everywhere : { listen_addresses: sockets }
      const result = await applyOn(agent, bench, desired(version + 1, { virtual_hosts: [answering(port, `at ${version}`, listening)] }))
      expect(result).toMatchObject({ status: 'success', error_message: '', findings: [] })
      for (const address of sockets) expect(await askAt(port, address)).toBe(`at ${version}`)
      expect(await openAt(bench, port)).toEqual(sockets)
      masters ??= await mastersOf(bench.directory)
    }
    expect(await mastersOf(bench.directory)).toEqual(masters)
    expect(await errorLogOf(bench)).not.toContain('[emerg]')
    expect((await readdir(join(bench.data, 'generations'))).filter((name) => name.includes('via'))).toEqual([])
  })

  test('hosts on one address and on all come and go on one port, and each address has its own', async () => {
    await using bench = await openBench()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    const [all, single] = [answering(port, 'all'), answering(port, 'one', one)]
    const steps = [
      { virtual_hosts: [single], heard: ['one', 'ECONNREFUSED'] },
      { virtual_hosts: [single, all], heard: ['one', 'all'] },
      { virtual_hosts: [all], heard: ['all', 'all'] },
      { virtual_hosts: [single], heard: ['one', 'ECONNREFUSED'] },
    ]
    for (const [version, { virtual_hosts, heard }] of steps.entries()) {
      const result = await applyOn(agent, bench, desired(version + 1, { virtual_hosts }))
      expect(result.status, result.error_message).toBe('success')
      expect(await Promise.all(['127.0.0.1', '127.0.0.2'].map((address) => askAt(port, address).catch(codeOf)))).toEqual(heard)
    }
  })

  test('a host with TLS, HTTP/3 and a redirect takes all its ports from all addresses to one and back', async () => {
    await using bench = await openBench()
    const [port, plain] = [await freePort(), await freePort()]
    await using agent = await startOn(bench, { nginx: path })
    const { certPem, keyPem } = await selfSignedServer(['a.test'])
    const id = '00000000-0000-4000-9000-000000000001'
    const certificates = { [id]: { id, domain: 'a.test', certificate_pem: certPem, private_key_pem: keyPem, expires_at: 0 } }
    const tls = { ssl_enabled: true, ssl_certificate_id: id, http3_enabled: true, tls: { redirect_http: true, ocsp_stapling: false } }
    const settings = { nginx_directives: {}, env_vars: {}, http_port: plain }
    for (const [version, [listening, sockets]] of (
      [
        [everywhere, ['0.0.0.0', '::']],
        [one, ['127.0.0.1']],
        [everywhere, ['0.0.0.0', '::']],
      ] as const
    ).entries()) {
      const virtual_hosts = [answering(port, 'tls', { ...tls, ...listening })]
      const result = await applyOn(agent, bench, desired(version + 1, { virtual_hosts, certificates, settings }))
      expect(result.status, result.error_message).toBe('success')
      for (const each of [port, plain]) expect(await openAt(bench, each)).toEqual(sockets)
      expect(await ask(plain)).toContain('301 Moved')
    }
  })

  test('on the way nobody is refused, and other ports notice nothing', async () => {
    await using bench = await openBench()
    const [port, other] = [await freePort(), await freePort()]
    await using agent = await startOn(bench, { nginx: path })
    const hosts = (text: string, listening: Listening) => ({
      virtual_hosts: [answering(other, 'other'), answering(port, text, listening)],
    })
    await applyOn(agent, bench, desired(1, hosts('1', everywhere)))
    await using visitors = visit([port, other])
    for (const version of [2, 3]) {
      const result = await applyOn(agent, bench, desired(version, hosts(String(version), version % 2 === 0 ? one : everywhere)))
      expect(result.status, result.error_message).toBe('success')
      await until('the new config answers', async () => (await ask(port)) === String(version))
    }
    await visitors.stop()
    expect(visitors.heard(other)).toEqual(['other'])
    expect(visitors.heard(port).filter((answer) => !['ECONNRESET', 'EPIPE'].includes(answer))).toEqual(['1', '2', '3'])
  })

  test('when nginx refuses the last of the configs on the way, the port is open again as it was', async () => {
    for (const [before, after, sockets] of [
      [everywhere, one, ['0.0.0.0', '::']],
      [one, everywhere, ['127.0.0.1']],
    ] as const) {
      await using bench = await openBench()
      const port = await freePort()
      let reloads = 0
      const spoil = async (point: string) => {
        if (point !== 'switching' || agent.state.desired?.version !== 2 || ++reloads !== 3) return
        const { version, digest } = agent.state.desired
        await appendFile(join(bench.data, 'generations', `${version}-${digest.slice(0, 12)}`, 'http.conf'), '\nspoiled_directive;\n')
      }
      await using agent = await startOn(bench, { nginx: path }, { at: spoil })
      await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'before', before)] }))
      const result = await applyOn(agent, bench, desired(2, { virtual_hosts: [answering(port, 'after', after)] }))
      expect(result).toMatchObject({ status: 'rolled_back', error_message: expect.stringContaining('spoiled_directive') })
      expect(await ask(port)).toBe('before')
      expect(await openAt(bench, port)).toEqual(sockets)
    }
  })

  test('beside servers of the host, a port goes from all addresses to one and back', async () => {
    await using bench = await openBench()
    const [port, shared] = [await freePort(), await freePort()]
    const own = await hostNginx(bench, path)
    await own.write({ http: `server { listen ${shared}; return 200 host; }` })
    await using agent = await startOn(bench, { nginx: path, mode: 'include', nginxConf: own.conf })
    await until('it serves', async () => (await agent.health()).nginx.is_running && agent.trouble === undefined)
    for (const [version, listening] of [everywhere, one, everywhere].entries()) {
      const virtual_hosts = [answering(port, `at ${version}`, listening), answering(shared, `shared ${version}`, one)]
      const result = await applyOn(agent, bench, desired(version + 1, { virtual_hosts }))
      expect(result.status, result.error_message).toBe('success')
      expect(await ask(port)).toBe(`at ${version}`)
      expect(await ask(shared)).toBe(`shared ${version}`)
      expect(await askAt(shared, '127.0.0.2')).toBe('host')
    }
  })

  test.skipIf(!hasModule(path, 'ngx_stream_module.so'))(
    'a port goes from a virtual host on one address to a stream host and back',
    async () => {
      await using bench = await openBench()
      const port = await freePort()
      await using agent = await startOn(bench, { nginx: await withOwnModules(path, bench.directory) })
      const virtual: Partial<AgentConfig> = { virtual_hosts: [answering(port, 'http', one)] }
      const { target_agents: _, ...host } = streamHostInput.parse({
        name: 'Stream',
        listen_port: port,
        custom_directives: { return: '"stream"' },
      })
      const stream: Partial<AgentConfig> = { stream_hosts: [{ ...host, id: '00000000-0000-7000-8006-000000000001' }] }
      for (const [version, [config, sockets]] of (
        [
          [virtual, ['127.0.0.1']],
          [stream, ['0.0.0.0', '::']],
          [virtual, ['127.0.0.1']],
        ] as const
      ).entries()) {
        const result = await applyOn(agent, bench, desired(version + 1, config))
        expect(result, result.error_message).toMatchObject({ status: 'success', findings: [] })
        expect(await openAt(bench, port)).toEqual(sockets)
      }
      expect(await ask(port)).toBe('http')
    },
  )

  test('hazard 45: a host on an address that this machine does not have is left out, and the others serve', async () => {
    await using bench = await openBench()
    const [port, other] = [await freePort(), await freePort()]
    await using agent = await startOn(bench, { nginx: path })
    const away = answering(other, 'away', { id: '00000000-0000-7000-8001-000000000009', listen_addresses: ['192.0.2.5'] })
    const result = await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'here'), away] }))
    expect(result).toMatchObject({ status: 'success', findings: [{ severity: 'error', id: away.id, field: 'listen_addresses.0' }] })
    expect(await ask(port)).toBe('here')
    expect((await agent.health()).generation?.absent_addresses).toEqual(['192.0.2.5'])
  })
})

describe('a kill -9 of the agent on the way', () => {
  const ways = [
    ['from all addresses to one', everywhere, one, ['127.0.0.1']],
    ['from one address to all', one, everywhere, ['0.0.0.0', '::']],
  ] as const
  const kills = [
    { point: 'reloaded', passage: 1 },
    { point: 'switched', passage: 2 },
    { point: 'reloaded', passage: 2 },
    { point: 'switched', passage: 3 },
  ] as const
  test.each(ways.flatMap(([title, ...way]) => kills.map((kill) => [title, kill.point, kill.passage, ...way] as const)))(
    '%s, at "%s" for the time %i: the next start ends in the new config',
    async (_, point, passage, before, after, sockets) => {
      await using bench = await openBench()
      const port = await freePort()
      {
        await using agent = await startOn(bench)
        await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'before', before)] }))
      }
      const masters = await mastersOf(bench.directory)
      const update = desired(2, { virtual_hosts: [answering(port, 'after', after)] })
      const order: CrashOrder = { options: optionsOf(bench), update, point, passage, spoil: false }
      const program = join(import.meta.dirname, 'crash-agent.ts')
      const child = spawn(process.execPath, [program, JSON.stringify(order)], { stdio: ['ignore', 'ignore', 'inherit'] })
      const [, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
      expect(signal).toBe('SIGKILL')
      expect(['before', 'after']).toContain(await ask(port))

      await using agent = await startOn(bench)
      await until('the new config serves', () => agent.state.good?.version === 2)
      expect(await ask(port)).toBe('after')
      expect(await openAt(bench, port)).toEqual(sockets)
      expect(await mastersOf(bench.directory)).toEqual(masters)
      const generations = () => readdir(join(bench.data, 'generations'))
      await until('what was on the way is removed', async () => !(await generations()).some((name) => name.includes('via')))
    },
  )
})

test('an address that the machine lacks stays known while the config that lists it is on its way', async () => {
  await using addresses = watchAddresses()
  const settings = defaultSettings
  await addresses.look({ settings, virtual_hosts: [answering(1, 'away', { listen_addresses: ['192.0.2.5'] })] })
  addresses.follow({ settings, virtual_hosts: [] }, () => {})
  expect(addresses.absent).toEqual(['192.0.2.5'])
  await addresses.look({ settings, virtual_hosts: [] })
  expect(addresses.absent).toEqual([])
})

/** Asks ports of 127.0.0.1 without a pause, each request on a connection of its own, and keeps each new answer or error. */
function visit(ports: readonly number[]) {
  const answers = new Map(ports.map((port) => [port, [] as string[]]))
  let over = false
  const lanes = ports.flatMap((port) =>
    [1, 2].map(async () => {
      while (!over) {
        const answer = await ask(port).catch(codeOf)
        const heard = answers.get(port)!
        if (!heard.includes(answer)) heard.push(answer)
      }
    }),
  )
  const stop = async () => {
    over = true
    await Promise.all(lanes)
  }
  return { heard: (port: number) => answers.get(port)!, stop, [Symbol.asyncDispose]: stop }
}

function codeOf({ code }: NodeJS.ErrnoException): string {
  return String(code)
}

function askAt(port: number, address: string): Promise<string> {
  return ask(port, '/', 'a.test', { '0.0.0.0': '127.0.0.1', '::': '::1' }[address] ?? address)
}
