import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { certificate } from './support/certificate.ts'
import { type ConfigDraft, configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { serve, temporaryFolder, testRendered } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

const answering = (text: string, host: Omit<Host, 'locations'>): Host => ({
  ...host,
  locations: [{ path: '/', custom_directives: { return: `200 ${text}` } }],
})

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hosts on unix sockets answer there and on no port, whatever theirs is, by their names', async () => {
    using folder = temporaryFolder()
    const [one, two] = [join(folder.path, 'one.sock'), join(folder.path, 'two.sock')]
    const port = await freePort()
    const config = configOf({
      virtual_hosts: [
        answering('a', { server_name: 'a.test', listen_port: port, listen_addresses: [`unix:${one}`, `unix:${two}`] }),
        answering('b', { server_name: 'b.test', listen_port: 80, listen_addresses: [`unix:${one}`] }),
        answering('port', { server_name: 'a.test', listen_port: port }),
        answering('any', { server_name: '_', listen_port: 81, listen_addresses: [`unix:${two}`] }),
      ],
    })
    await using server = await serve(binary, config)
    expect(server.rendered.findings).toEqual([])
    expect(server.rendered.listens).toEqual([{ port, transport: 'tcp' }])
    expect(await ask({ socketPath: one }, 'a.test')).toBe('a')
    expect(await ask({ socketPath: one }, 'b.test')).toBe('b')
    expect(await ask({ socketPath: two }, 'a.test')).toBe('a')
    expect(await ask({ socketPath: two }, 'b.test')).toBe('any')
    await expect(ask({ socketPath: one }, 'c.test')).rejects.toThrow('socket hang up')
    expect(await ask({ host: '127.0.0.1', port }, 'a.test')).toBe('port')
    await server[Symbol.asyncDispose]()
    expect(existsSync(two)).toBe(false)
  })

  test('TLS and the PROXY protocol are decided for each socket, and there is no plain side and no HTTP/3', () => {
    const tls = { ssl_enabled: true, ssl_certificate_id: id(3, 1), tls: { redirect_http: true } }
    using folder = temporaryFolder()
    const path = `unix:${folder.path}/web.sock`
    const config = configOf({
      certificates: { [id(3, 1)]: { id: id(3, 1), domain: 'example.com', ...certificate, expires_at: 0 } },
      virtual_hosts: [
        { ...tls, server_name: 'example.com', listen_port: 443, listen_addresses: [path], http3_enabled: true },
        { server_name: 'own.test', listen_port: 80, listen_addresses: [`unix:${folder.path}/nginx.sock`] },
        { server_name: 'a.test', listen_port: 80, listen_addresses: [path, 'unix:/nowhere/at/all.sock'] },
      ],
    })
    const { output, rendered } = testRendered(binary, config, {
      absent_addresses: ['unix:/nowhere/at/all.sock'],
      runtime_directory: folder.path,
    })
    expect(output).toContain('test is successful')
    const text = rendered.files.find((file) => file.path === 'http.conf')!.text
    expect(text.match(/^ +listen unix:.* ssl.*$/gm)).toEqual([`    listen ${path} ssl default_server;`, `    listen ${path} ssl;`])
    expect(text).not.toContain('return 301')
    expect(rendered.findings.map(({ id: at, field, message }) => `${at} ${field} ${message}`)).toEqual([
      `${id(1, 1)} http3_enabled HTTP/3 needs a port`,
      `${id(1, 2)} listen_addresses.0 is left out: unix:${folder.path}/nginx.sock is the agent’s own`,
      `${id(1, 3)} listen_addresses.1 does not listen on unix:/nowhere/at/all.sock: nginx cannot listen on unix:/nowhere/at/all.sock here: its folder is missing or closed, or something else has the path`,
      `${id(1, 3)} ssl_enabled is left out: ${path} speaks TLS for "Host 1"`,
    ])
  })
})

function ask(to: { socketPath: string } | { host: string; port: number }, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...to, agent: false, headers: { host } }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => resolve(body))
    })
    asked.on('error', reject)
    asked.end()
  })
}
