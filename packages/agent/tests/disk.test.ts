import { spawnSync } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { expect, test } from 'vitest'
import { answering, applyOn, ask, desired, endNginxOf, openBench, startOn, until } from './testing.ts'

test.skipIf(process.getuid?.() !== 0)(
  'a full disk: a clear failure, nothing changed, applied once there is space (needs root to mount a small disk)',
  async () => {
    await using bench = await openBench()
    await mkdir(bench.data)
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', bench.data])
    expect(mounted.status, mounted.stderr.toString()).toBe(0)
    try {
      const port = await freePort()
      await using agent = await startOn(bench)
      await applyOn(agent, bench, desired(1, { virtual_hosts: [answering(port, 'one')] }))
      const before = await readFile(join(bench.data, 'ledger.json'), 'utf8')
      const ballast = join(bench.data, 'ballast')
      await writeFile(ballast, Buffer.alloc(4_000_000)).catch(() => undefined)

      const result = await applyOn(agent, bench, desired(2, { virtual_hosts: [answering(port, 'two')] }))
      expect(result).toMatchObject({ status: 'failed', error_message: expect.stringContaining('No space left on device') })
      expect(await ask(port)).toBe('one')
      expect(await readFile(join(bench.data, 'ledger.json'), 'utf8')).toBe(before)
      await rm(ballast)
      await until('it is applied', async () => (await ask(port)) === 'two')
      await until('it is told', () => bench.statuses.at(-1)?.status === 'success')

      // Room for the ledger and the config, but not for the generation.
      const hosts = Array.from({ length: 400 }, (_, index) =>
        answering(port, `text ${index} `.repeat(100), { server_name: `h${index}.test` }),
      )
      await writeFile(ballast, Buffer.alloc(2_000_000 - 900_000))
      const large = await applyOn(agent, bench, desired(3, { virtual_hosts: [answering(port, 'three'), ...hosts] }))
      expect(large.status, large.error_message).toBe('failed')
      expect(large.error_message).toContain('No space left on device')
      expect(await ask(port)).toBe('two')
      await rm(ballast)
      await until('the large one is applied', async () => (await ask(port)) === 'three', 40_000)
    } finally {
      await endNginxOf(bench.directory)
      spawnSync('umount', ['-l', bench.data])
    }
  },
)
