import { execFileSync } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { expect, test } from 'vitest'
import { allProcesses, commandLine } from '../src/processes.ts'
import { hostNginx } from './host-nginx.ts'
import { answering, applyOn, ask, desired, openBench, startOn, until } from './testing.ts'

const nginx = '/usr/sbin/nginx'

test('a host whose config includes a FIFO keeps what it serves, is told why, and goes on when the FIFO is gone', async () => {
  await using bench = await openBench()
  const port = await freePort()
  const own = await hostNginx(bench, nginx)
  await own.write({})
  await using agent = await startOn(bench, { nginx, mode: 'include', nginxConf: own.conf }, { testMs: 5000 })
  expect(await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))).toMatchObject({ status: 'success' })
  const pipe = join(bench.directory, 'host/conf.d/pipe.conf')
  execFileSync('mkfifo', [pipe])
  const refused = await applyOn(agent, bench, desired(2, { virtual_hosts: [answering(port, 'two')] }))
  expect(refused).toMatchObject({ status: 'failed', error_message: expect.stringContaining('had not read its configuration after 5 s') })
  expect(refused.findings).toContainEqual(expect.objectContaining({ severity: 'error', message: expect.stringContaining('a pipe') }))
  expect(await ask(port)).toBe('one')
  await rm(pipe)
  await until('the config is served', async () => (await ask(port)) === 'two')
  const tests = await Promise.all((await allProcesses()).map(commandLine))
  expect(tests.filter((line) => line.includes(' -t ') && line.includes(bench.directory))).toEqual([])
})
