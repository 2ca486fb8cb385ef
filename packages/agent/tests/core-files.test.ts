import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { selfSignedServer } from '@nxmesh/testkit/certificates'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { expect, test } from 'vitest'
import { childrenOf } from '../src/processes.ts'
import { answering, applyOn, desired, endNginxOf, mastersOf, nginxBinaries, openBench, startOn, until } from './testing.ts'

const main = new URL('../src/main.ts', import.meta.url).pathname
const module = new URL('../src/core-files.ts', import.meta.url).pathname
const pattern = (await readFile('/proc/sys/kernel/core_pattern', 'utf8')).trim()
const run = promisify(execFile)

const holdsKey = `const key = require('node:fs').readFileSync('key.pem'); process.abort()`
const programs = {
  open: holdsKey,
  closed: `require(${JSON.stringify(module)}).keepMemoryOutOfCoreFiles(); ${holdsKey}`,
  started: `require(${JSON.stringify(module)}).keepMemoryOutOfCoreFiles()
    require('node:child_process').spawnSync(process.execPath, ['-e', ${JSON.stringify(holdsKey)}])`,
}

test.skipIf(pattern !== 'core').each(['open', 'closed', 'started'] as const)('a core file of a process that is %s', async (kind) => {
  await using directory = await scratch()
  const { keyPem } = await selfSignedServer(['a.test'])
  await writeFile(join(directory.path, 'key.pem'), keyPem)
  await run('sh', ['-c', 'ulimit -c unlimited; exec "$0" -e "$1"', process.execPath, programs[kind]], { cwd: directory.path }).catch(
    () => {},
  )
  const [core, ...others] = (await readdir(directory.path)).filter((name) => name.startsWith('core'))
  expect(others).toEqual([])
  const bytes = await readFile(join(directory.path, core!))
  expect(bytes.subarray(1, 4).toString()).toBe('ELF')
  // Without the filter it is there, so this would find it.
  expect(bytes.includes(keyPem.split('\n')[1]!)).toBe(kind === 'open')
})

test('the agent and the nginx that it starts keep their memory to themselves', async () => {
  await using bench = await openBench()
  const nginx = nginxBinaries[0]!.path
  {
    await using agent = await startOn(bench, { nginx })
    await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(await freePort(), 'one')] }))
  }
  await endNginxOf(bench.directory)
  const program = spawn(process.execPath, [main, '--master', '127.0.0.1:1', '--data-dir', bench.data, '--nginx', nginx], {
    stdio: 'ignore',
    cwd: bench.directory,
  })
  try {
    const [master] = await until('it started nginx', async () => {
      const masters = await mastersOf(bench.directory)
      return masters.length > 0 && (await childrenOf(masters[0]!)).length > 0 ? masters : undefined
    })
    for (const pid of [program.pid, master, ...(await childrenOf(master!))])
      expect(Number.parseInt(await readFile(`/proc/${pid}/coredump_filter`, 'utf8'), 16), `${pid}`).toBe(0)
  } finally {
    program.kill()
    await once(program, 'exit')
  }
})
