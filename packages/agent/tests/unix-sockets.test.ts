import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import type { ConfigVirtualHost } from '@nxmesh/model/agent-config'
import { freePort } from '@nxmesh/testkit/ports'
import { expect, test } from 'vitest'
import { childrenOf } from '../src/processes.ts'
import { answering, applyOn, ask, desired, distinctBinaries, mastersOf, openBench, startOn, until } from './testing.ts'

const onSocket = (path: string, text: string): ConfigVirtualHost => ({ ...answering(80, text), listen_addresses: [`unix:${path}`] })

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
    await using agent = await startOn(bench, { nginx })
    await until('the socket to be taken anew', async () => (await askAt(two)) === 'moved')
    // A dead socket that somebody else left.
    await applyOn(agent, bench, desired(3, { virtual_hosts: [] }))
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
