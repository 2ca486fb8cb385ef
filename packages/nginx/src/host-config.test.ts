import { describe, expect, test } from 'vitest'
import { candidateOf, findInclude } from './host-config.ts'

const include = '/var/lib/nxmesh/current/http.conf'
const paths = { include, candidate: '/var/lib/nxmesh/generations/8/http.conf', pid: '/run/nxmesh/test.pid' }
const host = `user www-data;\npid /run/nginx.pid; # live\n\nhttp {\n  include mime.types;\n  include "${include}"; # NxMesh\n}\n`

describe('candidateOf', () => {
  test('points our include and the pid file elsewhere and keeps the rest', () => {
    expect(candidateOf(host, paths)).toEqual({
      ok: true,
      text: host.replace('/run/nginx.pid', paths.pid).replace(`"${include}"`, paths.candidate),
    })
  })

  test('adds a pid file without moving lines', () => {
    const without = host.replace('pid /run/nginx.pid; # live\n', '')
    const candidate = candidateOf(without, paths)
    expect(candidate.ok && candidate.text.startsWith(`pid ${paths.pid}; user www-data;\n`)).toBe(true)
    expect(candidate.ok && candidate.text.split('\n').length).toBe(without.split('\n').length)
  })

  test('says which line is missing, and where', () => {
    const message = `nginx.conf does not include NxMesh's file: add the line "include ${include};" inside the http block that begins in line 4`
    expect(candidateOf(host.replace(include, '/other.conf'), paths)).toEqual({ ok: false, message })
    expect(candidateOf(`events {}\ninclude ${include};`, paths)).toMatchObject({ ok: false })
    expect(candidateOf('http {', paths)).toMatchObject({ ok: false, message: expect.stringContaining('line 1') })
  })
})

test('findInclude looks in the http block only', () => {
  expect(findInclude(host, include)).toBe(true)
  expect(findInclude(`include ${include};\nhttp {}`, include)).toBe(false)
  expect(findInclude(host.replace(`include "${include}"`, `# include ${include}`), include)).toBe(false)
})
