import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { checkVirtualHost } from '../src/check.ts'
import { type ConfigDraft, configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

/** An upstream that numbers its answers, and fails where the test says so. */
async function startCounter() {
  let count = 0
  const state = { fails: false }
  const server = createServer((request: IncomingMessage, response) => {
    count++
    const headers = request.url?.startsWith('/own') ? { 'Cache-Control': 'max-age=60' } : {}
    response.writeHead(state.fails ? 500 : 200, headers)
    response.end(`${request.headers.host} ${count}`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    state,
    address: `http://127.0.0.1:${port}`,
    count: () => count,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const read = async (port: number, path: string, headers = '', host = 'localhost') => {
  const answer = await get(port, path, host, headers)
  return `${answer.slice(9, 12)} ${/^X-Cache-Status: (.*)\r$/m.exec(answer)?.[1] ?? '-'}`
}
const host = (more: Partial<Host>): Host => ({ server_name: 'localhost', listen_port: 18480, ...more })
const kept = { valid: [{ status: 200, seconds: 60 }], status_header: true }

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('answers are kept, but for those who ask for fresh ones or have credentials', async () => {
    await using upstream = await startCounter()
    const port = await freePort()
    const locations = [
      { path: '/', proxy_pass: upstream.address },
      { path: '/headers', proxy_pass: upstream.address, custom_headers: [{ name: 'X-A', value: 'b', always: true }] },
      { path: '/live', proxy_pass: upstream.address, proxy_cache: { enabled: false } },
    ]
    const proxy_cache = { ...kept, bypass: ['$cookie_session', '$arg_fresh'] }
    await using _server = await serve(binary, configOf({ virtual_hosts: [host({ listen_port: port, proxy_cache, locations })] }))
    expect([await read(port, '/a'), await read(port, '/a')]).toEqual(['200 MISS', '200 HIT'])
    expect([await read(port, '/headers'), await read(port, '/headers')]).toEqual(['200 MISS', '200 HIT'])
    expect([await read(port, '/live'), await read(port, '/live')]).toEqual(['200 -', '200 -'])
    expect(await read(port, '/a?fresh=1')).toBe('200 BYPASS')
    expect(await read(port, '/a', 'Cookie: session=1\r\n')).toBe('200 BYPASS')
    expect([await read(port, '/b', 'Authorization: Basic eDp5\r\n'), await read(port, '/b')]).toEqual(['200 BYPASS', '200 MISS'])
  })

  test('without times of ours only answers that name one are kept', async () => {
    await using upstream = await startCounter()
    const port = await freePort()
    const locations = [{ path: '/', proxy_pass: upstream.address, proxy_cache: { status_header: true } }]
    await using _server = await serve(binary, configOf({ virtual_hosts: [host({ listen_port: port, locations })] }))
    expect([await read(port, '/a'), await read(port, '/a')]).toEqual(['200 MISS', '200 MISS'])
    expect([await read(port, '/own'), await read(port, '/own')]).toEqual(['200 MISS', '200 HIT'])
  })

  test('virtual hosts share the cache and no answers, whatever their keys', async () => {
    await using upstream = await startCounter()
    const port = await freePort()
    const proxy_cache = { ...kept, key: '$uri' }
    const locations = [{ path: '/', proxy_pass: upstream.address }]
    const hosts = ['a.test', 'b.test'].map((server_name) => host({ server_name, listen_port: port, proxy_cache, locations }))
    await using server = await serve(binary, configOf({ virtual_hosts: hosts, settings: { proxy_cache_path: { max_size: '10m' } } }))
    expect([await read(port, '/a', '', 'a.test'), await read(port, '/a', '', 'b.test'), await read(port, '/a?x', '', 'a.test')]).toEqual([
      '200 MISS',
      '200 MISS',
      '200 HIT',
    ])
    const text = server.rendered.files.find(({ path }) => path === 'http.conf')!.text
    expect(text.match(/proxy_cache_path .*max_size=10m.*/g)).toHaveLength(1)
  })

  test('an answer that is out of date is better than none', async () => {
    await using upstream = await startCounter()
    const port = await freePort()
    const proxy_cache = { valid: [{ status: 200, seconds: 1 }], status_header: true, use_stale: ['http_500' as const] }
    const locations = [{ path: '/', proxy_pass: upstream.address, proxy_cache }]
    await using _server = await serve(binary, configOf({ virtual_hosts: [host({ listen_port: port, locations })] }))
    expect(await read(port, '/a')).toBe('200 MISS')
    upstream.state.fails = true
    await expect.poll(() => read(port, '/a'), { timeout: 10_000 }).toBe('200 STALE')
    expect(await read(port, '/b')).toBe('500 MISS')
  })
})

test.each<[Partial<Host>, string[]]>([
  [{ locations: [{ path: '/', root: '/srv', proxy_cache: {} }] }, ['locations.0.proxy_cache INVALID_VALUE']],
  [{ proxy_cache: {}, proxy: { buffering: false } }, ['proxy.buffering CONFLICT']],
  [
    { proxy_cache: {}, custom_directives: { proxy_cache_valid: '5m', proxy_no_cache: '$cookie_x' } },
    ['custom_directives.proxy_no_cache CONFLICT'],
  ],
  [{ locations: [{ path: '/', upstream_id: id(2, 1), proxy_cache: {} }] }, []],
])('checks %j', (more, problems) => {
  const config = configOf({ virtual_hosts: [host(more)] })
  expect(checkVirtualHost(config.virtual_hosts[0]!).map(({ field, code }) => `${field} ${code}`)).toEqual(problems)
})
