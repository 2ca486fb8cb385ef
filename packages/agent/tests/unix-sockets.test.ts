import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { ConfigStreamHost, ConfigVirtualHost } from '@nxmesh/model/agent-config'
import { streamHostInput } from '@nxmesh/model/stream-host'
import { hasModule, withOwnModules } from '@nxmesh/testkit/own-modules'
import { freePort } from '@nxmesh/testkit/ports'
import { expect, test } from 'vitest'
import { childrenOf } from '../src/processes.ts'
import { answering, applyOn, ask, desired, distinctBinaries, mastersOf, openBench, startOn, until } from './testing.ts'

const streamOn = (path: string, said: string): ConfigStreamHost => {
  const input = { name: said, listen_port: 1, listen_addresses: [`unix:${path}`], custom_directives: { return: said } }
  const { target_agents: _, ...rest } = streamHostInput.parse(input)
  return { ...rest, id: `00000000-0000-7000-8006-${said.padStart(12, '0').replaceAll(/[^0-9]/g, '1')}` }
}

const onSocket = (path: string, said: string): ConfigVirtualHost => ({ ...answering(80, said), listen_addresses: [`unix:${path}`] })

test.each(distinctBinaries())(
  'a unix socket is opened, moved and closed while nginx runs, and a killed nginx does not keep it: $label',
  async ({ path: nginx }) => {
    await using bench = await openBench()
    const [one, two] = [join(bench.directory, 'one.sock'), join(bench.directory, 'two.sock')]
    {
      await using agent = await startOn(bench, { nginx })
      expect(await applyOn(agent, bench, desired(1, { virtual_hosts: [onSocket(one, 'first')] }))).toMatchObject({
        status: 'success',
        findings: [],
      })
      expect(await askAt(one)).toBe('first')
      const [master] = await mastersOf(bench.directory)
      expect(await applyOn(agent, bench, desired(2, { virtual_hosts: [onSocket(two, 'moved')] }))).toMatchObject({ status: 'success' })
      expect(await askAt(two)).toBe('moved')
      await expect(askAt(one)).rejects.toThrow('ENOENT')
      expect(await mastersOf(bench.directory)).toEqual([master])
      await killAll(bench.directory)
      await until('nginx to be started again', async () => (await askAt(two)) === 'moved')
    }
    await killAll(bench.directory)
    await until('only its file to be left', async () => /ECONNREFUSED/.test(await askAt(two).catch(String)))
    await using _again = await startOn(bench, { nginx })
    await until('the socket to be taken anew', async () => (await askAt(two)) === 'moved')
  },
)

test.each(distinctBinaries().filter(({ path }) => hasModule(path, 'ngx_stream_module.so')))(
  'a stream host has a unix socket, which may go from one kind to the other, and a killed nginx does not keep it: $label',
  async ({ path }) => {
    await using bench = await openBench()
    const nginx = await withOwnModules(path, bench.directory)
    const [one, two] = [join(bench.directory, 'one.sock'), join(bench.directory, 'two.sock')]
    {
      await using agent = await startOn(bench, { nginx })
      const apply = async (version: number, config: Parameters<typeof desired>[1]) =>
        expect(await applyOn(agent, bench, desired(version, config))).toMatchObject({ status: 'success', findings: [] })
      await apply(1, { stream_hosts: [streamOn(one, 'first')] })
      expect(await heardAt(one)).toBe('first')
      const [master] = await mastersOf(bench.directory)
      await apply(2, { stream_hosts: [streamOn(two, 'moved')], virtual_hosts: [onSocket(one, 'web')] })
      await until('it speaks HTTP', async () => (await askAt(one).catch(String)) === 'web')
      expect(await heardAt(two)).toBe('moved')
      await apply(3, { stream_hosts: [streamOn(one, 'back')] })
      await until('it is a stream again', async () => (await heardAt(one)) === 'back')
      await expect(askAt(two)).rejects.toThrow('ENOENT')
      expect(await mastersOf(bench.directory)).toEqual([master])
      await killAll(bench.directory)
      await until('nginx to be started again', async () => (await heardAt(one).catch(String)) === 'back')
    }
    await killAll(bench.directory)
    await until('only its file to be left', async () => /ECONNREFUSED/.test(await heardAt(one).catch(String)))
    await using agent = await startOn(bench, { nginx }, { addressesEvery: 50 })
    await until('the socket to be taken anew', async () => (await heardAt(one).catch(String)) === 'back')
    const later = join(bench.directory, 'later')
    const missing = streamOn(join(later, 'a.sock'), 'late')
    const { status, findings } = await applyOn(agent, bench, desired(4, { stream_hosts: [streamOn(one, 'still'), missing] }))
    expect([status, findings.map(({ kind, field }) => `${kind} ${field}`)]).toEqual(['success', ['stream_host listen_addresses.0']])
    await until('the other is served', async () => (await heardAt(one)) === 'still')
    await mkdir(later)
    await until('it comes when it can', async () => (await heardAt(join(later, 'a.sock'))) === 'late')
  },
)

test('a host is left out where its socket cannot be, the others are served, and it comes when it can', async () => {
  await using bench = await openBench()
  const port = await freePort()
  const [folder, file] = [join(bench.directory, 'later'), join(bench.directory, 'file.sock')]
  await writeFile(file, 'precious')
  await using agent = await startOn(bench, {}, { addressesEvery: 50 })
  const hosts = [answering(port, 'other'), onSocket(join(folder, 'a.sock'), 'late'), onSocket(file, 'never')]
  const { status, findings } = await applyOn(agent, bench, desired(1, { virtual_hosts: hosts }))
  expect([status, findings.map(({ severity, field }) => `${severity} ${field}`)]).toEqual([
    'success',
    ['error listen_addresses.0', 'error listen_addresses.0'],
  ])
  expect(await ask(port)).toBe('other')
  expect(await readFile(file, 'utf8')).toBe('precious')
  await mkdir(folder)
  await until('it to be served', async () => (await askAt(join(folder, 'a.sock'))) === 'late')
})

async function killAll(directory: string): Promise<void> {
  const [master] = await mastersOf(directory)
  for (const pid of [master!, ...(await childrenOf(master!))]) process.kill(pid, 'SIGKILL')
}

/** What a stream host says to whoever comes. */
async function heardAt(path: string): Promise<string> {
  return text(connect(path))
}

function askAt(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, agent: false, headers: { host: 'a.test' } }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => resolve(body))
    })
    asked.on('error', reject)
    asked.end()
  })
}
