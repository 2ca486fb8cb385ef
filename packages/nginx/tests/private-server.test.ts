import { join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { configOf } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve } from './support/real-nginx.ts'

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hazard 9: the workers say which digest they serve, to the agent alone, whatever the settings forbid', async () => {
    const port = await freePort()
    const config = configOf({
      settings: { nginx_directives: { deny: 'all', auth_basic: 'closed', add_header: 'X-A a' } },
      virtual_hosts: [{ server_name: '_', listen_port: port }],
    })
    await using server = await serve(binary, config, { digest: 'd'.repeat(64) })
    const socket = join(server.folder, 'nginx.sock')
    expect(await get(socket, '/digest')).toMatch(new RegExp(`\\r\\n\\r\\n${'d'.repeat(64)} \\d+$`))
    expect(await get(socket, '/stub_status')).toContain('Active connections: ')
    for (const path of ['/digest', '/stub_status']) expect(await get(port, path)).toContain(' 404 ')
  })
})
