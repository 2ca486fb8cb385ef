import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { checkVirtualHost } from '../src/check.ts'
import { startBackend } from './support/backend.ts'
import { type ConfigDraft, configOf } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, testRendered } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

// Of the word "secret", by "openssl passwd" and htpasswd.
const hashes = {
  apr1: '$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/',
  sha256: '$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.',
  sha512: '$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.',
  bcrypt: '$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a',
  ssha: '{SSHA}tCNGqyJLk/uvKpCa4vga5GB2gWoxMjM0NTY3OA==',
}
const names = Object.keys(hashes) as (keyof typeof hashes)[]
const users = names.map((name) => ({ name, password_hash: hashes[name] }))
const host = (more: Partial<Host>): Host => ({ server_name: 'localhost', listen_port: 18480, ...more })

async function ask(port: number, path: string, name = '', password = 'secret', more = '') {
  const credentials = `Authorization: Basic ${Buffer.from(`${name}:${password}`).toString('base64')}\r\n`
  return get(port, path, 'localhost', (name === '' ? '' : credentials) + more)
}
const status = (answer: string) => Number(answer.slice(9, 12))

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hazard 93: only who knows a password comes in, by every kind of hash', async () => {
    await using backend = await startBackend()
    const port = await freePort()
    const proxy_pass = backend.address
    const locations = [
      { path: '/', proxy_pass },
      { path: '/open', proxy_pass, auth_basic: { enabled: false } },
      { path: '/own', proxy_pass, auth_basic: { realm: 'Own', users: [{ name: 'only', password_hash: hashes.sha512 }] } },
    ]
    const auth_basic = { realm: "$Ann's place; {}", users }
    await using _server = await serve(binary, configOf({ virtual_hosts: [host({ listen_port: port, auth_basic, locations })] }))
    const refused = await ask(port, '/')
    expect(status(refused)).toBe(401)
    expect(refused).toContain(`WWW-Authenticate: Basic realm="$Ann's place; {}"`)
    for (const name of names) {
      expect([name, status(await ask(port, '/', name))]).toEqual([name, 200])
      expect([name, status(await ask(port, '/', name, 'other'))]).toEqual([name, 401])
    }
    expect(status(await ask(port, '/', 'nobody'))).toBe(401)
    expect(status(await ask(port, '/open'))).toBe(200)
    expect([status(await ask(port, '/own', 'only')), status(await ask(port, '/own', 'apr1'))]).toEqual([200, 401])
  })

  test('the right address or the right password is enough where that is asked for', async () => {
    await using backend = await startBackend()
    const port = await freePort()
    const rules = [
      { action: 'allow' as const, address: '192.0.2.0/24' },
      { action: 'deny' as const, address: 'all' },
    ]
    const more = { real_ip: { trusted: ['127.0.0.1'] }, auth_basic: { users }, access: { rules, satisfy: 'any' as const } }
    const locations = [{ path: '/', proxy_pass: backend.address }]
    await using _server = await serve(binary, configOf({ virtual_hosts: [host({ listen_port: port, locations, ...more })] }))
    const [inside, outside] = ['X-Forwarded-For: 192.0.2.1\r\n', 'X-Forwarded-For: 198.51.100.1\r\n']
    expect(status(await ask(port, '/', '', '', inside))).toBe(200)
    expect(status(await ask(port, '/', 'apr1', 'secret', outside))).toBe(200)
    expect(status(await ask(port, '/', '', '', outside))).toBe(401)
  })

  test('the file is named where nginx looks for it, and is for workers alone', () => {
    const config = configOf({ virtual_hosts: [host({ auth_basic: { users } })] })
    for (const over of [{}, { mode: 'include', directory: '/srv/generation' }] as const) {
      const { output, rendered } = testRendered(binary, config, over)
      expect(output).toContain('test is successful')
      const file = rendered.files.find(({ path }) => path.endsWith('.htpasswd'))!
      expect([file.mode, file.text.split('\n')[0]]).toEqual([0o640, `apr1:${hashes.apr1}`])
      expect(rendered.files[0]!.text).toMatch(new RegExp(`auth_basic_user_file \\S*${file.path};`))
      expect(rendered.files[0]!.text).not.toContain(hashes.apr1)
    }
  })
})

test.each<[Partial<Host>, string[]]>([
  [{ auth_basic: { users: [] } }, ['auth_basic.users REQUIRED']],
  [{ auth_basic: { enabled: false } }, []],
  [{ locations: [{ path: '/', auth_basic: { users: [{ name: 'a' }] } }] }, ['locations.0.auth_basic.users.0.password REQUIRED']],
  [{ auth_basic: { users }, custom_directives: { auth_basic_user_file: '/x' } }, ['custom_directives.auth_basic_user_file CONFLICT']],
  [{ auth_basic: { users }, custom_directives: { return: '200' } }, ['custom_directives.return CONFLICT']],
])('checks %j', (more, problems) => {
  const config = configOf({ virtual_hosts: [host(more)] })
  expect(checkVirtualHost(config.virtual_hosts[0]!).map(({ field, code }) => `${field} ${code}`)).toEqual(problems)
})
