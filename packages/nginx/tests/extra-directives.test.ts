import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { configOf } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, testRendered } from './support/real-nginx.ts'

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('extra directives are written in order, names repeated, in every context', async () => {
    const port = await freePort()
    const config = configOf({
      settings: { extra_directives: ['map $arg_a $first { default 1; x 2; }', 'map $first $second { 1 one; 2 two; }'] },
      virtual_hosts: [
        {
          server_name: 'localhost',
          listen_port: port,
          extra_directives: ['set $v a', 'set $v "$v-b"', 'if ($arg_no) { return 418; }', 'add_header X-A 1', 'add_header X-B 2 always;'],
          locations: [
            {
              path: '/',
              extra_directives: ['location /n { return 200 "nested"; }', 'set $v "$v-c"', 'return 200 "$v $second"', 'add_header X-C 3'],
            },
          ],
        },
      ],
    })
    await using server = await serve(binary, config)
    expect(server.rendered.findings).toEqual([])
    const answer = await get(port, '/?a=x')
    expect(answer).toContain('a-b-c two')
    for (const header of ['X-A: 1', 'X-B: 2', 'X-C: 3']) expect(answer).toContain(header)
    expect(await get(port, '/?no=1')).toContain('HTTP/1.1 418')
    expect(await get(port, '/n')).toContain('nested')
  })

  test('one that breaks out is left out, with its field', () => {
    const config = configOf({
      virtual_hosts: [
        {
          server_name: 'a.test',
          listen_port: 18481,
          locations: [{ path: '/', extra_directives: ['deny all', 'allow all; } } server {'] }],
        },
      ],
    })
    const { rendered, output } = testRendered(binary, config)
    expect(output).toContain('test is successful')
    expect(rendered.findings.map(({ field, severity }) => [field, severity])).toEqual([['locations.0.extra_directives.1', 'error']])
    const http = rendered.files.find(({ path }) => path === 'http.conf')!.text
    const line = http.split('\n').findIndex((text) => text.includes('deny all'))
    expect(rendered.sources('http.conf', line + 1)?.field).toBe('locations.0.extra_directives.0')
  })
})
