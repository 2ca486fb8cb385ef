import { virtualHostInput } from '@nxmesh/model/virtual-host'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, testHttp, testRendered } from './support/real-nginx.ts'

const answers = (text: string) => [{ path: '/', custom_directives: { return: `200 ${text}` } }]
const body = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4)

describe.each(binaries)('nginx $facts.version', (binary) => {
  test.each(['w*.example.com', 'a..b', '-x.com', '$host', '"a;b"', 'a:80', 'a/b', 'http://x'])(
    'hazard 42: the name %s, which nginx takes and no request has, is refused; a host with one is left out',
    (name) => {
      expect(testHttp(binary, `server { listen 127.0.0.1:18480; server_name ${name}; }`).ok).toBe(true)
      const input = { name: 'odd', server_name: `good.test ${name}`, listen_port: 18480 }
      expect(virtualHostInput.safeParse(input).error?.issues[0]).toMatchObject({ path: ['server_name'] })
      const config = configOf({
        virtual_hosts: [
          { server_name: 'a.test', listen_port: 18480 },
          { ...input, server_name: 'b.test' },
        ],
      })
      config.virtual_hosts[1]!.server_name = input.server_name
      const { output, rendered } = testRendered(binary, config)
      expect(output).toContain('test is successful')
      expect(rendered.findings).toMatchObject([{ severity: 'error', id: id(1, 2), field: 'server_name' }])
      expect(rendered.files[0]!.text).not.toContain('good.test')
    },
  )

  test('hazard 42: a name with a space in it is two names, and each is matched', async () => {
    const port = await freePort()
    const host = { server_name: 'exa mple.com', listen_port: port, locations: answers('both') }
    await using _server = await serve(binary, configOf({ virtual_hosts: [host] }))
    for (const name of ['exa', 'mple.com']) expect(body(await get(port, '/', name))).toBe('both')
  })

  test('hazard 44: an exact name, then the longest wildcard, then regular expressions in the order of the hosts', async () => {
    const names = [String.raw`~^\w+\.example\.com$`, '~^a', 'a.example.*', '*.com', '*.example.com', 'a.example.com']
    const served = async (order: string[]) => {
      const port = await freePort()
      const hosts = order.map((name) => ({ server_name: name, listen_port: port, locations: answers(`"${name.replaceAll('$', '')}"`) }))
      await using _server = await serve(binary, configOf({ virtual_hosts: hosts }))
      const asked = ['a.example.com', 'A.Example.COM.:80', 'b.example.com', 'b.com', 'a.example.org', 'ab.org']
      return await Promise.all(asked.map(async (name) => body(await get(port, '/', name))))
    }
    const common = ['a.example.com', 'a.example.com', '*.example.com', '*.com', 'a.example.*', '~^a']
    expect(await served(names)).toEqual(common)
    expect(await served(names.toReversed())).toEqual(common)
    expect((await served([names[0]!, '~^a'])).slice(0, 1)).toEqual([String.raw`~^\w+\.example\.com`])
    expect((await served(['~^a', names[0]!])).slice(0, 1)).toEqual(['~^a'])
  })
})
