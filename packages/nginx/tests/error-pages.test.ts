import { describe, expect, test } from 'vitest'
import { checkVirtualHost } from '../src/check.ts'
import { type ConfigDraft, configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { freePort, get, serve, serveHttp, testHttp, testRendered } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

const body = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4)
const status = (answer: string) => Number(answer.split(' ')[1])
const hostWith = (host: Partial<Host>, port: number, error_page?: string) =>
  configOf({
    ...(error_page === undefined ? {} : { settings: { nginx_directives: { error_page } } }),
    virtual_hosts: [{ server_name: 'localhost', listen_port: port, ...host }],
  })
const page = (path: string) => ({ path: `= ${path}`, custom_directives: { return: `200 "page ${path}"` } })

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hazard 62: nginx forgets the error pages of the outer levels where a level has one of its own', async () => {
    const http = (socket: string) =>
      `server { listen unix:${socket}; error_page 404 /outer; location /outer { return 200 outer; } location /in { error_page 403 /outer; return 404; } }`
    await using server = await serveHttp(binary, http)
    expect(body(await get(server.socket, '/in'))).not.toBe('outer')
  })

  test('hazard 62: those of the host and of the settings hold there too', async () => {
    const port = await freePort()
    const of = (code: number, error_page?: string) => ({ return: `${code}`, ...(error_page === undefined ? {} : { error_page }) })
    const locations = [
      ...['/settings', '/host', '/location'].map(page),
      { path: '/a', custom_directives: of(500, '404 /location') },
      { path: '/b', custom_directives: of(403, '404 /location') },
      { path: '/c', custom_directives: of(404, '404 /location') },
      { path: '/d', custom_directives: of(404) },
      { path: '/e', custom_directives: of(403, '403 404 /location') },
    ]
    const config = hostWith({ custom_directives: { error_page: '403 404 /host' }, locations }, port, '404 500 /settings')
    await using _server = await serve(binary, config)
    const answers = await Promise.all(['/a', '/b', '/c', '/d', '/e'].map((path) => get(port, path)))
    expect(answers.map(body)).toEqual(['settings', 'host', 'location', 'host', 'location'].map((name) => `page /${name}`))
    expect(answers.map(status)).toEqual([500, 403, 404, 404, 403])
    const { output, rendered } = testRendered(binary, config, { mode: 'include' })
    expect(output).toContain('test is successful')
    const pages = rendered.files[0]!.text.match(/^ *error_page .*$/gm)!.map((line) => line.trim().slice(0, -1))
    const [location, host, settings] = ['404 /location', '403 404 /host', '404 500 /settings'].map((text) => `error_page ${text}`)
    expect(pages.slice(0, 5)).toEqual([host, settings, location, host, settings])
  })

  test('hazard 62: a page that turns an error into a success is warned of', async () => {
    const port = await freePort()
    const locations = [
      page('/page'),
      { path: '/a', custom_directives: { return: '403', error_page: '403 404 =200 /page' } },
      { path: '/b', custom_directives: { return: '403', error_page: '403 = /page' } },
      { path: '/c', custom_directives: { return: '403', error_page: '403 =404 /page' } },
    ]
    await using server = await serve(binary, hostWith({ locations }, port))
    expect(status(await get(port, '/a'))).toBe(200)
    expect(server.rendered.findings).toEqual([
      expect.objectContaining({ severity: 'warning', id: id(1, 1), field: 'locations.1.custom_directives.error_page' }),
    ])
    expect(server.rendered.findings[0]!.message).toContain('403, 404 as 200')
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
