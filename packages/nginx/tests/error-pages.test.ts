import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { checkVirtualHost } from '../src/check.ts'
import { type ConfigDraft, configOf } from './support/config.ts'
import { lintOf } from './support/lint.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, serveHttp, testHttp } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

const body = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4)
const status = (answer: string) => Number(answer.split(' ')[1])
const hostWith = (host: Partial<Host>, port: number) =>
  configOf({ virtual_hosts: [{ server_name: 'localhost', listen_port: port, ...host }] })
const page = (path: string) => ({ path: `= ${path}`, custom_directives: { return: `200 "page ${path}"` } })

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hazard 62: nginx forgets the error pages of the outer levels where a level has one of its own', async () => {
    const http = (socket: string) =>
      `server { listen unix:${socket}; error_page 404 /outer; location /outer { return 200 outer; } location /in { error_page 403 /outer; return 404; } }`
    await using server = await serveHttp(binary, http)
    expect(body(await get(server.socket, '/in'))).not.toBe('outer')
  })

  test('hazard 62: a page that turns an error into a success is warned of', async () => {
    const port = await freePort()
    const locations = [
      page('/page'),
      { path: '/a', custom_directives: { return: '403', error_page: '403 404 =200 /page' } },
      { path: '/b', custom_directives: { return: '403', error_page: '403 = /page' } },
      { path: '/c', custom_directives: { return: '403', error_page: '403 =404 /page' } },
    ]
    await using _server = await serve(binary, hostWith({ locations }, port))
    expect(status(await get(port, '/a'))).toBe(200)
    const hidden = lintOf({ virtual_hosts: [{ server_name: 'localhost', listen_port: port, locations }] }).filter(
      ({ code }) => code === 'hidden_error',
    )
    expect(hidden).toMatchObject([
      { field: 'locations.1.custom_directives.error_page', reason: expect.stringContaining('403, 404 as 200') },
    ])
  })

  test.each([
    ['return', '999', true],
    ['return', '1000', false],
    ['error_page', '299 /x', false],
    ['error_page', '600 /x', false],
    ['error_page', '499 /x', false],
    ['error_page', '404 x05 /x', false],
    ['error_page', '300 599 =200 /x', true],
    ['return', 'https://a.test/', true],
  ])('hazard 62: %s %s is judged as nginx does', (name, value, taken) => {
    expect(testHttp(binary, `server { listen 127.0.0.1:18480; location / { ${name} ${value}; } }`).ok).toBe(taken)
    const config = hostWith({ locations: [{ path: '/', custom_directives: { [name]: value } }] }, 18480)
    const problems = checkVirtualHost(config.virtual_hosts[0]!)
    expect(problems.map(({ field }) => field)).toEqual(taken ? [] : [`locations.0.custom_directives.${name}`])
  })
})
