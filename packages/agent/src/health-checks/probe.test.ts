import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'

test('a probe does not load what stands behind fetch', () => {
  const program = `
    import { createServer } from 'node:net'
    import { probe } from '${import.meta.resolve('./probe.ts')}'
    const server = createServer((socket) => socket.end('HTTP/1.1 204 No Content\\r\\n\\r\\n')).listen(0, '127.0.0.1', async () => {
      const { port } = server.address()
      const target = { to: { host: '127.0.0.1', port }, host: 'a', check: { path: '/', timeout: 5 } }
      const failure = await probe(target, new AbortController().signal)
      server.close()
      console.log(JSON.stringify({ failure, loaded: process.moduleLoadList }))
    })`
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
  const { failure, loaded } = JSON.parse(output) as { failure?: string; loaded: string[] }
  expect(failure).toBeUndefined()
  expect(loaded).toContain('NativeModule http')
  expect(loaded.filter((name) => name.includes('undici'))).toEqual([])
})
