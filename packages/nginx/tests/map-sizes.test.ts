import { describe, expect, test } from 'vitest'
import { checkSettings } from '../src/check.ts'
import { configOf } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { testHttp, testRendered } from './support/real-nginx.ts'

const long = 'x'.repeat(100)
const many = Array.from({ length: 380 }, (_, at) => `key${at} v;`).join(' ')
const configWith = (nginx_directives: Record<string, string>) =>
  configOf({ settings: { nginx_directives }, virtual_hosts: [{ server_name: 'a.test', listen_port: 18480 }] })

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hazard 94: long keys of a map need sizes, which are computed from them', () => {
    const map = `$host $mapped { default a; ${long} b; ~^(?<regular>${long}${long}) c; }`
    expect(testHttp(binary, `map ${map}`).output).toContain('could not build map_hash, you should increase map_hash_bucket_size: 64')
    const { output, rendered } = testRendered(binary, configWith({ map }))
    expect(output).toContain('test is successful')
    expect(output).not.toContain('[warn]')
    expect(rendered.files[0]!.text).toContain('\nmap_hash_bucket_size 128;\n')
  })

  test('hazard 94: a size of the settings stays, and many keys need none', () => {
    const text = (directives: Record<string, string>) => {
      const { output, rendered } = testRendered(binary, configWith(directives))
      expect(output).toContain('test is successful')
      expect(output).not.toContain('[warn]')
      return rendered.files[0]!.text.match(/^map_hash_.*$/gm)
    }
    const map = `$host $mapped { default a; ${long} b; }`
    expect(text({ map, map_hash_bucket_size: '512' })).toEqual(['map_hash_bucket_size 512;'])
    expect(text({ map: `$host $mapped { ${many} }` })).toEqual(['map_hash_bucket_size 128;'])
  })

  test('hazard 94: in include mode the sizes are the host’s to set: a warning says which', () => {
    const map = `$host $mapped { default a; ${long} b; }`
    const { ok, rendered } = testRendered(binary, configWith({ map }), { mode: 'include' })
    expect(ok).toBe(false)
    expect(rendered.findings).toMatchObject([
      {
        severity: 'warning',
        kind: 'settings',
        field: 'nginx_directives.map',
        message: expect.stringContaining('map_hash_bucket_size 128'),
      },
    ])
    expect(testRendered(binary, configWith({ map: '$host $mapped { short b; }' }), { mode: 'include' }).rendered.findings).toEqual([])
  })

  test.each([
    ['{ a 1; a 2; }', false],
    ['{ a 1; A 2; }', false],
    ['{ "a" 1; a 2; }', false],
    ['{ ~a 1; ~a 2; default 3; }', true],
    ['{ hostnames; a 1; .b 2; default 3; }', true],
  ])('hazard 94: a key that a map has twice is refused as nginx does: %s', (block, taken) => {
    const map = `$host $mapped ${block}`
    expect(testHttp(binary, `map ${map}`).ok).toBe(taken)
    expect(checkSettings(configWith({ map }).settings).map(({ field }) => field)).toEqual(taken ? [] : ['nginx_directives.map'])
    const extra = { nginx_directives: {}, env_vars: {}, extra_directives: ['gzip on;', `map ${map}`] }
    expect(checkSettings(extra).map(({ field }) => field)).toEqual(taken ? [] : ['extra_directives.1'])
  })

  test.each(['combined', 'nxmesh'])('hazard 91: a log format of the name %s is there already: refused, and left out', (name) => {
    const log_format = `${name} "$host"`
    const config = configWith({ log_format })
    expect(checkSettings(config.settings)).toMatchObject([{ field: 'nginx_directives.log_format', code: 'NOT_ALLOWED' }])
    const { output, rendered } = testRendered(binary, config, { access_log: '/dev/null' })
    expect(output).toContain('test is successful')
    expect(rendered.findings).toMatchObject([{ severity: 'error', kind: 'settings', field: 'nginx_directives.log_format' }])
    const twice = name === 'combined' ? 'log_format combined a;' : 'log_format nxmesh a; log_format nxmesh b;'
    expect(testHttp(binary, twice).output).toContain('duplicate "log_format" name')
    expect(checkSettings(configWith({ log_format: 'mine "$host"' }).settings)).toEqual([])
  })
})
