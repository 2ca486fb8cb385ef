import { describe, expect, test } from 'vitest'
import { explainOutput, explainWords } from '../src/explain-output.ts'
import { parseVersion } from '../src/facts.ts'
import { render } from '../src/render.ts'
import { configOf, id } from './support/config.ts'

const facts = parseVersion('nginx version: nginx/1.22.1\nconfigure arguments: --with-http_ssl_module\n')!
const config = configOf({
  upstreams: [{ servers: [{ address: 'app.internal:81' }] }],
  virtual_hosts: [
    {
      server_name: 'a.test',
      listen_port: 8081,
      locations: [{ path: '/', upstream_id: id(2, 1), custom_headers: [{ name: 'X-A', value: '$nope' }] }],
    },
    { server_name: 'b.test a.test', listen_port: 8081, custom_directives: { client_max_body_size: 'ten' } },
  ],
  settings: { nginx_directives: { gzip: 'maybe' } },
})
const rendered = render(config, { facts, mode: 'owned', digest: 'd', runtime_directory: '/run/n', ipv6: false })
const http = rendered.files.find((file) => file.path === 'http.conf')!.text.split('\n')
const lineOf = (text: string) => http.findIndex((line) => line.includes(text)) + 1

describe('explainOutput', () => {
  test('finds the field by file and line', () => {
    const line = lineOf('client_max_body_size')
    const output = [
      `nginx: [emerg] "client_max_body_size" directive invalid value in /var/lib/nxmesh/generations/7/http.conf:${line}`,
      'nginx: configuration file /var/lib/nxmesh/generations/7/test.conf test failed',
    ].join('\n')
    expect(explainOutput(output, rendered)).toEqual([
      {
        severity: 'error',
        message: '"client_max_body_size" directive invalid value',
        file: 'http.conf',
        line,
        kind: 'virtual_host',
        id: id(1, 2),
        name: 'Host 2',
        field: 'custom_directives.client_max_body_size',
        code: 'invalid_value',
        cause: expect.stringContaining('a unit that it does not know'),
        fix: expect.stringContaining('sizes are whole numbers with k, m or g'),
      },
    ])
  })

  test('points at the server of an upstream, and at a setting', () => {
    const server = `nginx: [emerg] host not found in upstream "app.internal:81" in /g/http.conf:${lineOf('app.internal')}`
    expect(explainOutput(server, rendered)).toMatchObject([{ kind: 'upstream', id: id(2, 1), field: 'servers.0' }])
    const setting = `nginx: [emerg] invalid value "maybe" in "gzip" directive in /g/http.conf:${lineOf('gzip maybe')}`
    expect(explainOutput(setting, rendered)).toMatchObject([{ kind: 'settings', field: 'nginx_directives.gzip' }])
  })

  test('without a place, looks for what the message names', () => {
    expect(explainOutput('nginx: [emerg] unknown "nope" variable', rendered)).toMatchObject([
      { severity: 'error', kind: 'virtual_host', id: id(1, 1), field: 'locations.0.custom_headers' },
    ])
    expect(explainOutput('nginx: [emerg] host not found in upstream "app.internal"', rendered)).toMatchObject([{ kind: 'upstream' }])
    expect(explainOutput('nginx: [warn] conflicting server name "a.test" on 0.0.0.0:8081, ignored', rendered)).toMatchObject([
      { severity: 'warning', kind: 'virtual_host', id: id(1, 2), field: 'server_name' },
    ])
    expect(explainOutput('nginx: [emerg] bind() to 0.0.0.0:8081 failed (98: Address already in use)', rendered)).toMatchObject([
      { id: id(1, 1), field: 'listen_port' },
    ])
  })

  test('reads error log lines, and each message once', () => {
    const line = '2026/02/01 10:00:00 [emerg] 12#12: bind() to 0.0.0.0:8081 failed (13: Permission denied)'
    expect(explainOutput(`${line}\n${line}\n2026/02/01 10:00:00 [notice] 12#12: signal process started\n`, rendered)).toHaveLength(1)
  })

  test('hazard 27: words of files that are not ours do not come out', () => {
    const [found] = explainOutput('nginx: [emerg] unknown directive "db_password=hunter2;" in /etc/nginx/conf.d/x.conf:1', rendered)
    expect(found).toMatchObject({ severity: 'error', message: 'unknown directive "…"', file: '/etc/nginx/conf.d/x.conf', line: 1 })
    expect(JSON.stringify(found)).not.toContain('hunter2')
    const [broken] = explainOutput('nginx: [emerg] unknown directive "db_"pass\nword" in /etc/passwd:3', rendered)
    expect(JSON.stringify({ ...broken, file: '' })).not.toMatch(/pass|word/)
  })

  test('words alone: what was printed, or one sentence, and nothing for what is not nginx’s', () => {
    const printed = 'nginx: [emerg] unknown directive "htp" in nginx.conf:3\nnginx: configuration file nginx.conf test failed'
    expect(explainWords(printed)).toMatchObject([
      { severity: 'error', message: 'unknown directive "htp"', file: 'nginx.conf', line: 3, code: 'unknown_directive' },
    ])
    expect(explainWords('bind() to 0.0.0.0:80 failed (98: Address already in use)')).toMatchObject([
      { severity: 'error', code: 'port_in_use', fix: expect.stringContaining('another port') },
    ])
    expect(explainWords('the configuration is fine')).toEqual([])
  })

  test('hazard 100: the path that nginx was denied comes out, from whichever file', () => {
    for (const reason of ['13: Permission denied', '1: Operation not permitted', '30: Read-only file system']) {
      const text = `open() "/srv/logs/a.log" failed (${reason})`
      const [found] = explainOutput(`nginx: [emerg] ${text} in /etc/nginx/conf.d/x.conf:1`, rendered)
      expect(found).toMatchObject({ severity: 'error', message: text, file: '/etc/nginx/conf.d/x.conf', line: 1 })
      expect(explainOutput(`nginx: [emerg] ${text}`, rendered)).toMatchObject([{ severity: 'error', message: text }])
    }
    const [other] = explainOutput('nginx: [emerg] open() "/a b" failed (2: No such file or directory) in /etc/x:1', rendered)
    expect(other!.message).not.toContain('/a b')
  })
})
