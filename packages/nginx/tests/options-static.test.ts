import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { afterAll, describe, expect, test } from 'vitest'
import { checkVirtualHost } from '../src/check.ts'
import { type ConfigDraft, configOf } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve } from './support/real-nginx.ts'

type Host = NonNullable<ConfigDraft['virtual_hosts']>[number]

const files = mkdtempSync(join(tmpdir(), 'nxmesh-static-'))
mkdirSync(join(files, 'docs'))
mkdirSync(join(files, 'empty'))
writeFileSync(join(files, 'index.html'), 'the app')
writeFileSync(join(files, 'docs', 'index.html'), 'the docs')
writeFileSync(join(files, 'app.js'), 'script')
writeFileSync(join(files, 'data.own'), 'own')
afterAll(() => rmSync(files, { recursive: true }))

const read = async (port: number, path: string) => {
  const answer = await get(port, path)
  const cache = /^Cache-Control: (.*)\r$/m.exec(answer)?.[1]
  return [Number(answer.slice(9, 12)), answer.slice(answer.indexOf('\r\n\r\n') + 4), cache]
}

async function serveStatic(binary: (typeof binaries)[number], location: Partial<NonNullable<Host['locations']>[number]>) {
  const port = await freePort()
  const locations = [{ path: '/', root: files, ...location }]
  const server = await serve(binary, configOf({ virtual_hosts: [{ server_name: 'localhost', listen_port: port, locations }] }))
  return { port, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('a single page application answers for every path, and only assets are kept', async () => {
    await using server = await serveStatic(binary, { static: { fallback: '/index.html', assets_max_age: 3600 } })
    expect(await read(server.port, '/')).toEqual([200, 'the app', undefined])
    expect(await read(server.port, '/users/7')).toEqual([200, 'the app', undefined])
    expect(await read(server.port, '/gone.js')).toEqual([200, 'the app', undefined])
    expect(await read(server.port, '/empty/')).toEqual([200, 'the app', undefined])
    expect(await read(server.port, '/docs/')).toEqual([200, 'the docs', undefined])
    expect(await read(server.port, '/app.js')).toEqual([200, 'script', 'max-age=3600'])
  })

  test('a fallback that is not there is 404, not a circle', async () => {
    await using server = await serveStatic(binary, { static: { fallback: '/none.html' } })
    expect((await read(server.port, '/users/7'))[0]).toBe(404)
    expect((await read(server.port, '/app.js'))[0]).toBe(200)
  })

  test('without a fallback what is not there is 404, and folders are not listed', async () => {
    await using server = await serveStatic(binary, { static: { assets: ['own'], assets_max_age: 60 } })
    expect((await read(server.port, '/users/7'))[0]).toBe(404)
    expect((await read(server.port, '/empty/'))[0]).toBe(403)
    expect(await read(server.port, '/data.own')).toEqual([200, 'own', 'max-age=60'])
    expect((await read(server.port, '/app.js'))[2]).toBeUndefined()
  })
})

test.each<[object, string[]]>([
  [{ static: {} }, ['locations.0.root REQUIRED']],
  [{ static: {}, proxy_pass: 'http://a' }, ['locations.0.static CONFLICT']],
  [{ static: {}, custom_directives: { alias: '/srv/' } }, []],
  [{ static: {}, root: '/srv', custom_directives: { autoindex: 'on' } }, ['locations.0.custom_directives.autoindex CONFLICT']],
  [
    { static: { assets_max_age: 60 }, root: '/srv', custom_headers: [{ name: 'Cache-Control', value: 'no-store' }] },
    ['locations.0.custom_headers.0 CONFLICT'],
  ],
])('checks %j', (location, problems) => {
  const config = configOf({ virtual_hosts: [{ server_name: 'a.test', listen_port: 80, locations: [{ path: '/', ...location }] }] })
  expect(checkVirtualHost(config.virtual_hosts[0]!).map(({ field, code }) => `${field} ${code}`)).toEqual(problems)
})
