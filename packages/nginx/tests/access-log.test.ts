import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, temporaryFolder } from './support/real-nginx.ts'

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hazard 88, 90: one log for all virtual hosts, a JSON object per line, whatever clients send', async () => {
    using folder = temporaryFolder()
    const access_log = join(folder.path, 'access.log')
    const port = await freePort()
    const config = configOf({
      virtual_hosts: [
        { server_name: 'localhost', listen_port: port, locations: [{ path: '/', custom_directives: { return: '200 hello' } }] },
        { server_name: 'b.test', listen_port: port },
      ],
    })
    {
      await using _server = await serve(binary, config, { access_log })
      await get(port, '/a"b?c=%22', 'localhost', 'User-Agent: say "hi"\\ \x01\r\nReferer: {}\r\n')
      await get(port, '/', 'b.test')
      await get(port, '/', 'nobody.test')
    }
    const lines = readFileSync(access_log, 'utf8').trim().split('\n')
    const entries = lines.map((line) => JSON.parse(line) as Record<string, string>)
    expect(entries).toHaveLength(2)
    expect(entries[0]).toMatchObject({
      virtual_host: id(1, 1),
      method: 'GET',
      uri: '/a"b?c=%22',
      host: 'localhost',
      status: '200',
      body_bytes_sent: '5',
      user_agent: 'say "hi"\\ \x01',
    })
    expect(entries[1]).toMatchObject({ virtual_host: id(1, 2), status: '404' })
  })
})
