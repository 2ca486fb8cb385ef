import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { newChain } from '@nxmesh/testkit/certificates'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { compareVersions } from '../src/facts.ts'
import { certificate } from './support/certificate.ts'
import { configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { serve, testRendered } from './support/real-nginx.ts'

const run = promisify(execFile)
const certificates = { [id(3, 1)]: { id: id(3, 1), domain: 'example.com', ...certificate, expires_at: 0 } }
const policies = ['modern', 'intermediate', 'old'] as const

/** The protocol and cipher of a handshake that offers only this version, or undefined where it fails. */
async function handshake(port: number, version: string, more: string[] = []): Promise<string | undefined> {
  const args = [
    's_client',
    '-connect',
    `127.0.0.1:${port}`,
    '-servername',
    'example.com',
    `-${version}`,
    '-cipher',
    'DEFAULT@SECLEVEL=0',
    ...more,
  ]
  const running = run('openssl', args)
  running.child.stdin!.end()
  const { stdout } = await running.catch((error: { stdout: string }) => error)
  return /New, (TLSv[\d.]+), Cipher is (?!\(NONE\))/.exec(stdout)?.[1]
}

async function accepted(port: number): Promise<string[]> {
  const versions = ['tls1', 'tls1_1', 'tls1_2', 'tls1_3']
  const found = await Promise.all(versions.map(async (version) => ((await handshake(port, version)) === undefined ? [] : version)))
  return found.flat()
}

const expected = { modern: ['tls1_3'], intermediate: ['tls1_2', 'tls1_3'], old: ['tls1', 'tls1_1', 'tls1_2', 'tls1_3'] }

describe.each(binaries)('nginx $facts.version', (binary) => {
  const host = { server_name: 'example.com', ssl_enabled: true, ssl_certificate_id: id(3, 1) }

  test.each(policies)('the policy %s of the settings', async (policy) => {
    const port = await freePort()
    const config = configOf({ certificates, virtual_hosts: [{ ...host, listen_port: port }] })
    config.settings.tls_policy = policy
    await using _server = await serve(binary, config)
    expect(await accepted(port)).toEqual(expected[policy])
    const weak = await handshake(port, 'tls1_2', ['-cipher', 'ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0'])
    expect(weak === undefined).toBe(policy !== 'old')
  })

  test('hazard 47: a policy of one host among others holds where nginx can, and is warned of where it cannot', async () => {
    const port = await freePort()
    const hosts = [
      { ...host, server_name: 'first.test' },
      { ...host, tls: { policy: 'modern' as const, redirect_http: false, ocsp_stapling: false } },
    ]
    const config = configOf({ certificates, virtual_hosts: hosts.map((each) => ({ ...each, listen_port: port })) })
    const own = compareVersions(binary.facts.version, '1.29.2') >= 0
    const { rendered } = testRendered(binary, config)
    expect(rendered.findings.map(({ field, name }) => [field, name])).toEqual(own ? [] : [['tls.policy', expect.any(String)]])
    await using _server = await serve(binary, config)
    expect(await accepted(port)).toEqual(own ? ['tls1_3'] : ['tls1_2', 'tls1_3'])
  })

  test('a custom directive has the last word', () => {
    const custom = { ssl_protocols: 'TLSv1.2', ssl_prefer_server_ciphers: 'on' }
    const config = configOf({
      certificates,
      virtual_hosts: [
        { ...host, listen_port: 18480, tls: { policy: 'old', redirect_http: false, ocsp_stapling: false }, custom_directives: custom },
      ],
    })
    for (const mode of ['owned', 'include'] as const) {
      const { output } = testRendered(binary, config, mode === 'owned' ? {} : { mode, directory: '/nowhere' })
      if (mode === 'owned') expect(output).toContain('test is successful')
      expect(output).not.toContain('duplicate')
    }
  })

  test('hazard 85: stapling is asked for only where a responder can answer', async () => {
    const { certPem, keyPem } = await newChain({ names: ['example.com'], ocsp: 'http://ocsp.invalid/' })
    const material = { certificate_pem: certPem, private_key_pem: keyPem, expires_at: 0 }
    const both = { ...certificates, [id(3, 2)]: { id: id(3, 2), domain: 'example.com', ...material } }
    const tls = { redirect_http: false, ocsp_stapling: true }
    const hosts = [1, 2].map((at) => ({ ...host, server_name: `${at}.test`, ssl_certificate_id: id(3, at), listen_port: 18480, tls }))
    const config = configOf({ certificates: both, virtual_hosts: hosts })
    const stapling = ({ files }: { files: { path: string; text: string }[] }) =>
      files.find(({ path }) => path === 'http.conf')!.text.split('ssl_stapling on;').length - 1
    const without = testRendered(binary, config)
    expect([stapling(without.rendered), without.rendered.findings.map(({ field }) => field)]).toEqual([
      0,
      ['tls.ocsp_stapling', 'tls.ocsp_stapling'],
    ])
    config.settings.nginx_directives = { resolver: '127.0.0.1' }
    const { rendered, output } = testRendered(binary, config)
    expect([stapling(rendered), rendered.findings.map(({ message }) => message)]).toEqual([
      1,
      [expect.stringContaining('names no OCSP responder')],
    ])
    expect(output).toContain('test is successful')
  })
})
