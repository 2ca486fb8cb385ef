import { chmod, mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { applyOn, desired, distinctBinaries, host, openBench, startOn } from './testing.ts'

// "secret", by "openssl passwd -6".
const password_hash = '$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.'

describe.each(distinctBinaries())('basic auth on nginx $label', ({ path }) => {
  test('hazard 93: workers, whoever they run as, can read the users, and others cannot', async () => {
    await using bench = await openBench()
    const root = join(bench.directory, 'site')
    await chmod(bench.directory, 0o755)
    await mkdir(root, { mode: 0o755 })
    await writeFile(join(root, 'index.html'), 'inside', { mode: 0o644 })
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    const ask = async (user: string, word: string) => {
      const authorization = `Basic ${Buffer.from(`${user}:${word}`).toString('base64')}`
      return (await fetch(`http://127.0.0.1:${port}/`, { headers: { authorization } })).status
    }
    const location = { path: '/', root, custom_headers: [], rewrite_rules: [], custom_directives: {} }
    const withUsers = (...names: string[]) => {
      const users = names.map((name) => ({ name, password_hash }))
      return {
        virtual_hosts: [host(port, { server_name: '_', locations: [location], auth_basic: { enabled: true, realm: 'Site', users } })],
      }
    }
    expect(await applyOn(agent, bench, desired(1, withUsers('ann')))).toMatchObject({ status: 'success' })
    expect([await ask('ann', 'secret'), await ask('ann', 'other'), await ask('bob', 'secret')]).toEqual([200, 401, 401])
    expect(await applyOn(agent, bench, desired(2, withUsers('bob')))).toMatchObject({ status: 'success' })
    expect([await ask('ann', 'secret'), await ask('bob', 'secret')]).toEqual([401, 200])
    for (const name of ['generations', 'current', 'current/auth_basic']) expect((await stat(join(bench.data, name))).mode & 0o007).toBe(0)
  })
})
