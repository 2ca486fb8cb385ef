import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { header } from '@nxmesh/model/location'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { checkTestContent } from '../src/check-test-content.ts'
import { parse } from '../src/parse.ts'
import { print } from '../src/print.ts'
import { render } from '../src/render.ts'
import { configOf } from './support/config.ts'
import { codes, directives } from './support/lint.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, targetFor, temporaryFolder, testFile, testHttp, writeFiles } from './support/real-nginx.ts'

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hazard 28: nginx -t opens what it is told to, so such text is refused', () => {
    using folder = temporaryFolder()
    const log = join(folder.path, 'written.log')
    const http = `server { listen 127.0.0.1:1; access_log ${log}; }`
    expect(testHttp(binary, http).ok).toBe(true)
    expect(existsSync(log)).toBe(true)
    expect(checkTestContent(`events {} http { ${http} }`)).toMatchObject([{ code: 'NOT_ALLOWED' }])
    expect(checkTestContent('load_module /tmp/x.so; events {}')).toMatchObject([{ code: 'NOT_ALLOWED' }])
  })

  test('hazard 28: testing what was rendered touches neither the live pid file nor the live logs', () => {
    using folder = temporaryFolder()
    const config = configOf({ virtual_hosts: [{ server_name: 'a.test', listen_port: 18480 }] })
    writeFiles(folder.path, render(config, targetFor(binary, folder.path, { access_log: join(folder.path, 'access.log') })))
    const { output } = testFile(binary, folder.path, join(folder.path, 'test.conf'))
    expect(output).toContain('test is successful')
    const created = readdirSync(folder.path)
    for (const name of ['nginx.pid', 'access.log', 'error.log', 'nginx.sock']) expect(created).not.toContain(name)
  })

  test('hazard 29: a redirect with $uri takes line breaks from the request, which lint tells of', async () => {
    expect(codes(directives({ return: '302 https://x.test$uri' }))).toEqual(['http_splitting locations.0.custom_directives.return'])
    const port = await freePort()
    const draft = (target: string) =>
      configOf({
        virtual_hosts: [
          { server_name: 'localhost', listen_port: port, locations: [{ path: '/', custom_directives: { return: `302 ${target}` } }] },
        ],
      })
    {
      await using _server = await serve(binary, draft('https://x.test$uri'))
      expect(await get(port, '/a%0d%0aX-Injected:%20b')).toContain('\r\nX-Injected: b')
    }
    await using _server = await serve(binary, draft('https://x.test$request_uri'))
    expect(await get(port, '/a%0d%0aX-Injected:%20b')).not.toContain('\r\nX-Injected')
  })

  test('hazard 30: nginx takes any text for the name of a header, the model does not', () => {
    expect(testHttp(binary, 'add_header "X Y" a;').ok).toBe(true)
    expect(header.safeParse({ name: 'X Y', value: 'a' }).success).toBe(false)
    expect(header.safeParse({ name: '', value: 'a' }).success).toBe(false)
    expect(header.safeParse({ name: 'X-Y', value: 'a' }).success).toBe(true)
  })
})

test('hazard 31: a line that looks like the separator of a dump is a comment like any other', () => {
  const text = 'a 1;\n# configuration file /etc/nginx/evil.conf:\nb 2;\n'
  const parsed = parse(text)
  expect(parsed.ok && parsed.tree.directives.map(({ name }) => name)).toEqual(['a', 'b'])
  expect(parsed.ok && print(parsed.tree)).toBe(text)
})
