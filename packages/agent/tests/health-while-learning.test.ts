import { chmod, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openBench, startOn, until } from './testing.ts'

test('a health report does not wait until another binary is known', async () => {
  await using bench = await openBench()
  const [nginx, hold, asked] = [join(bench.directory, 'nginx.sh'), join(bench.directory, 'hold'), join(bench.directory, 'asked')]
  await writeFile(nginx, `#!/bin/sh\nwhile [ -f ${hold} ]; do : > ${asked}; sleep 0.1; done\nexec /usr/sbin/nginx "$@"\n`)
  await chmod(nginx, 0o755)
  await using agent = await startOn(bench, { nginx })
  const { version } = (await agent.health()).installation!
  await writeFile(hold, '')
  await utimes(nginx, new Date(), new Date())
  const report = await agent.health()
  expect([report.nginx.installed_version, report.installation?.version]).toEqual([version, version])
  await until('nginx to be asked', async () => rm(asked).then(() => true))
  await rm(hold)
  expect((await agent.health()).nginx.installed_version).toBe(version)
})
