import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { render } from '../src/render.ts'
import { startBackend } from './support/backend.ts'
import { configOf } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, targetFor } from './support/real-nginx.ts'

const chain = 'X-Forwarded-For: 192.0.2.66, 192.0.2.1, 10.0.0.9\r\n'

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('the client is who the last trusted proxy says it is', async () => {
    await using backend = await startBackend()
    const ports = { all: await freePort(), one: await freePort(), none: await freePort(), header: await freePort() }
    const trusted = ['127.0.0.0/8', '10.0.0.0/8']
    const host = (listen_port: number, real_ip?: { trusted: string[]; recursive?: boolean; header?: string }) => ({
      server_name: 'localhost',
      listen_port,
      locations: [{ path: '/', proxy_pass: backend.address }],
      ...(real_ip && { real_ip }),
    })
    const config = configOf({
      settings: { real_ip: { trusted } },
      virtual_hosts: [
        host(ports.all),
        host(ports.one, { trusted, recursive: false }),
        host(ports.none, { trusted: ['192.0.2.200'] }),
        host(ports.header, { trusted: ['127.0.0.1'], header: 'X-Client' }),
      ],
    })
    await using _server = await serve(binary, config)
    const seen = async (port: number, headers: string) => /x-real-ip: (\S+)/.exec(await get(port, '/', 'localhost', headers))![1]
    expect(await seen(ports.all, chain)).toBe('192.0.2.1')
    expect(await seen(ports.one, chain)).toBe('10.0.0.9')
    expect(await seen(ports.none, chain)).toBe('127.0.0.1')
    expect(await seen(ports.header, `${chain}X-Client: 2001:db8::7\r\n`)).toBe('2001:db8::7')
  })
})

test('an nginx without the module says so and serves on', () => {
  const facts = { ...binaries[0]!.facts, supports: { ...binaries[0]!.facts.supports, realip: false } }
  const config = configOf({ virtual_hosts: [{ server_name: 'a.test', listen_port: 80, real_ip: { trusted: ['10.0.0.0/8'] } }] })
  const { files, findings } = render(config, targetFor({ facts, path: '' }, '/run/nxmesh'))
  expect(findings).toMatchObject([{ severity: 'error', field: 'real_ip' }])
  expect(files[0]!.text).not.toContain('real_ip')
})
