import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { administrator } from '@nxmesh/testkit/master'
import { startMesh } from '@nxmesh/testkit/mesh'
import { freePort } from '@nxmesh/testkit/ports'
import { expect, test } from 'vitest'

test('the first change of the README works as it stands there', async () => {
  await using mesh = await startMesh()
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  let script = /```sh\n(.*?)```/s.exec(readme)?.[1] ?? ''
  expect(script).toContain('/virtual-hosts')
  for (const port of ['8081', '9001', '9002']) script = script.replaceAll(port, `${await freePort()}`)
  const { output, ended } = await run(script.replaceAll('8080', `${mesh.master.http.port}`))
  expect(ended, output).toBe(true)
  expect(output).toContain('"state":"online"')
  const answers = output.split('\n').filter((line) => line === 'one' || line === 'two')
  expect(answers.toSorted()).toEqual(['one', 'one', 'two', 'two'])
})

/** Runs a script in bash, and whatever it left in the background no longer than itself. */
function run(script: string): Promise<{ output: string; ended: boolean }> {
  const env = { ...process.env, PASSWORD: administrator.password }
  return new Promise((resolve) => {
    execFile('bash', ['-c', `set -eu; trap 'kill $(jobs -p)' EXIT\n${script}`], { env, timeout: 30_000 }, (error, stdout, stderr) =>
      resolve({ output: stdout + stderr, ended: error === null }),
    )
  })
}
