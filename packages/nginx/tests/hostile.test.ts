import type { AgentConfig } from '@nxmesh/model/agent-config'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { explainOutput } from '../src/explain-output.ts'
import { type Directive, parse } from '../src/parse.ts'
import { print } from '../src/print.ts'
import { render } from '../src/render.ts'
import { configOf, id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { targetFor, testRendered } from './support/real-nginx.ts'

const evil = fc.oneof(
  fc.constantFrom(
    'all; } } server { listen 1; return 200 pwned; } http { x {',
    '"; return 200 "pwn',
    '} server {',
    '${',
    '$',
    '\\',
    '"',
    "'",
    'a\nb;',
    '# x',
    '{',
    'a b { c; }',
    'content_by_lua_block {',
    '\uFEFF',
    '\r\n\r\n',
    '*/',
    '',
    '/',
    '~ (',
  ),
  fc.string({ unit: fc.constantFrom('"', "'", '\\', '$', '{', '}', ';', '#', ' ', '\n', 'a', '/', '\u0000', 'é'), maxLength: 12 }),
)

/** Configs that no schema has seen: every text is as hostile as a master that is not ours could make it. */
const hostile: fc.Arbitrary<AgentConfig> = fc
  .record({
    name: evil,
    server: evil,
    address: evil,
    path: evil,
    proxy: evil,
    root: evil,
    index: evil,
    header: evil,
    value: evil,
    pattern: evil,
    directive: evil,
    setting: evil,
    env: evil,
  })
  .map((text) => {
    const config = configOf({
      upstreams: [{ servers: [{ address: '127.0.0.1:1' }] }],
      virtual_hosts: [{ server_name: 'a.test', listen_port: 18480 }],
    })
    config.settings = { nginx_directives: { gzip: text.setting }, env_vars: { A: text.env } }
    const base = { custom_headers: [], rewrite_rules: [], custom_directives: {} }
    const header = { name: text.header, value: text.value, always: false }
    const upstream = config.upstreams[0]!
    upstream.name = text.name
    upstream.servers[0]!.address = text.address
    const host = config.virtual_hosts[0]!
    config.virtual_hosts = [
      {
        ...host,
        name: text.name,
        custom_directives: { deny: text.directive, if: text.directive },
        locations: [
          {
            ...base,
            path: text.path,
            root: text.root,
            index: text.index,
            custom_headers: [header],
            custom_directives: { allow: text.directive },
          },
          {
            ...base,
            path: '/p',
            proxy_pass: `http://${text.proxy}`,
            custom_headers: [header],
            rewrite_rules: [{ pattern: text.pattern, replacement: text.value }],
          },
          { ...base, path: '/u', upstream_id: id(2, 1), custom_directives: { return: text.directive } },
        ],
      },
      { ...host, id: id(1, 2), name: text.name, server_name: text.server },
    ]
    return config
  })

const blocks = (directives: Directive[], name: string) => directives.filter((directive) => directive.name === name).length
const allowed = new Set([
  'location',
  'listen',
  'server_name',
  'deny',
  'if',
  'proxy_http_version',
  'proxy_set_header',
  'proxy_hide_header',
  'add_header',
  'access_log',
  'return',
])

test('hazard 23: no text of a config gets out of its argument', () => {
  fc.assert(
    fc.property(hostile, (config) => {
      const rendered = render(config, targetFor(binaries[0]!, '/run/nxmesh'))
      for (const { path, text } of rendered.files) {
        const parsed = parse(text)
        expect(parsed.ok && print(parsed.tree), `${path}: ${text}`).toBe(text)
        if (!parsed.ok || path !== 'http.conf') continue
        const { directives } = parsed.tree
        expect(blocks(directives, 'upstream')).toBe(1)
        const left = rendered.findings.filter(({ field }) => field === 'server_name').length
        expect(blocks(directives, 'server')).toBe(4 - left)
        for (const server of directives.filter(({ name }) => name === 'server').slice(1)) {
          const children = server.block?.kind === 'directives' ? server.block.directives : []
          for (const { name } of children) expect(allowed).toContain(name)
        }
      }
    }),
    { numRuns: 400 },
  )
})

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('hazard 16: what nginx refuses in a hostile config is traced to the object it came from', () => {
    for (const config of fc.sample(hostile, { numRuns: 25, seed: 3 })) {
      const { ok, output, rendered } = testRendered(binary, config)
      const errors = explainOutput(output, rendered).filter(({ severity }) => severity === 'error')
      if (ok) continue
      expect(errors.length, output).toBeGreaterThan(0)
      for (const error of errors) expect(error.kind, `${output}\n${rendered.files[0]!.text}`).toBeDefined()
      expect(output).not.toMatch(/unexpected|unknown directive/)
    }
  })
})
