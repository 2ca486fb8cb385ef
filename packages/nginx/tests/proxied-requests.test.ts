import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { explainOutput } from '../src/explain-output.ts'
import { startBackend } from './support/backend.ts'
import { type ConfigDraft, configOf, id } from './support/config.ts'
import { lintOf } from './support/lint.ts'
import { binaries } from './support/nginx-versions.ts'
import { exchange, get, serve, testRendered } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

const status = (answer: string) => Number(answer.split(' ')[1])
const hostWith = (host: Partial<Host>, port: number) => ({ server_name: 'a.test', listen_port: port, ...host })

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hazard 53: an upstream gets the path as it was asked for; decoded and normalised only where proxy_pass has a path', async () => {
    await using backend = await startBackend()
    const port = await freePort()
    const config = configOf({
      upstreams: [{ servers: [{ address: `127.0.0.1:${backend.port}` }] }],
      virtual_hosts: [
        hostWith(
          {
            locations: [
              { path: '/', proxy_pass: backend.address },
              { path: '/pool/', upstream_id: id(2, 1) },
              { path: '/replaced/', proxy_pass: `${backend.address}/to/` },
              { path: '/kept/', proxy_pass: `${backend.address}$request_uri` },
            ],
          },
          port,
        ),
      ],
    })
    await using _server = await serve(binary, config)
    const asked = async (path: string) => /^url (.*)$/m.exec(await get(port, path, 'a.test'))?.[1]
    const rest = 'x%2Fy%20z/../q?a=%2F'
    for (const path of ['/', '/pool/', '/kept/']) expect(await asked(`${path}${rest}`)).toBe(`${path}${rest}`)
    expect(await asked(`/replaced/${rest}`)).toBe('/to/x/q?a=%2F')
    expect(await asked('/replaced/a%2Fb%20c')).toBe('/to/a/b%20c')
  })

  test('hazard 74: checks and marks of servers are made without a directive that only the commercial nginx has', async () => {
    await using backend = await startBackend()
    const port = await freePort()
    const [good, bad] = [`127.0.0.1:${backend.port}`, '127.0.0.1:1']
    const config = configOf({
      upstreams: [{ servers: [{ address: good }, { address: bad }], health_check: { enabled: true, path: '/healthz' } }],
      virtual_hosts: [hostWith({ locations: [{ path: '/', upstream_id: id(2, 1) }] }, port)],
    })
    await using server = await serve(binary, config, { marks: { [id(2, 1)]: [bad] } })
    for (let request = 0; request < 4; request++) expect(status(await get(port, '/', 'a.test'))).toBe(200)
    const text = server.rendered.files[0]!.text
    expect(text).toContain(`server ${bad} down;`)
    expect(text).not.toMatch(/^\s*(health_check|match|least_time|state|queue|keyval|api|status_zone|sticky)\b|slow_start=|drain/m)
  })

  test.each(['health_check', 'status_zone a', 'keyval_zone zone=a:1m', 'api', 'auth_jwt a'])(
    'hazard 74: "%s" is left to the nginx there; one that does not know it leads back to the field',
    (directive) => {
      const [name, ...args] = directive.split(' ')
      const custom_directives = { [name!]: args.join(' ') }
      const { ok, output, rendered } = testRendered(binary, configOf({ virtual_hosts: [hostWith({ custom_directives }, 18480)] }))
      expect(ok).toBe(false)
      const message = `unknown directive "${name}"`
      expect(explainOutput(output, rendered)).toMatchObject([{ message, id: id(1, 1), field: `custom_directives.${name}` }])
    },
  )

  test('hazard 99: headers with an underscore are dropped unless the settings say otherwise; said by one host it depends on their order', async () => {
    await using backend = await startBackend()
    const locations = [{ path: '/', proxy_pass: backend.address }]
    const underscores_in_headers = 'on'
    for (const nginx_directives of [{}, { underscores_in_headers }]) {
      const port = await freePort()
      const draft = {
        settings: { nginx_directives },
        virtual_hosts: [
          { server_name: 'plain.test', listen_port: port, locations },
          { server_name: 'own.test', listen_port: port, locations, custom_directives: { underscores_in_headers } },
        ],
      }
      await using _server = await serve(binary, configOf(draft))
      const passes = async (lines: string) => (await exchange(port, `GET / HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`)).includes('x_y')
      const everywhere = 'underscores_in_headers' in nginx_directives
      expect(await passes('Host: plain.test\r\nx_y: 1\r\n')).toBe(everywhere)
      expect(await passes('x_y: 1\r\nHost: plain.test\r\n')).toBe(everywhere)
      expect(await passes('Host: own.test\r\nx_y: 1\r\n')).toBe(true)
      expect(await passes('x_y: 1\r\nHost: own.test\r\n')).toBe(everywhere)
      const late = lintOf(draft).filter(({ code }) => code === 'late_header_rule')
      expect(late).toMatchObject([{ object: { id: id(1, 2) }, field: 'custom_directives.underscores_in_headers' }])
    }
  })

  test('hazard 99: a host name that is none is answered with 400, whichever host is the default', async () => {
    const port = await freePort()
    const locations = [{ path: '/', custom_directives: { return: '200 ok' } }]
    await using _server = await serve(binary, configOf({ virtual_hosts: [hostWith({ server_name: '_', locations }, port)] }))
    const asked = async (line: string) => status(await exchange(port, `GET / HTTP/1.1\r\n${line}Connection: close\r\n\r\n`))
    expect(await asked('Host: any.test\r\n')).toBe(200)
    for (const line of ['', 'Host: a..b\r\n', 'Host:\r\n']) expect(await asked(line), JSON.stringify(line)).toBe(400)
  })
})
