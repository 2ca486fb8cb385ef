import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { helpText, readConfig, settings } from './config.ts'

const folder = mkdtempSync(join(tmpdir(), 'nxmesh-'))
afterAll(() => rmSync(folder, { recursive: true }))

function fileOf(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const secretFile = fileOf('password', 'correct horse battery\n')

function fromFile(text: string) {
  return readConfig(['--config', fileOf('settings.yaml', text)], {})
}

test('a flag rules over the environment, the environment over the file', () => {
  const path = fileOf('order.yaml', 'data_dir: /file\nhttp: 127.0.0.1:1\nagents: 127.0.0.1:1\n')
  const env = { NXMESH_CONFIG: path, NXMESH_HTTP: '127.0.0.1:2', NXMESH_AGENTS: '127.0.0.1:2' }
  expect(readConfig(['--agents', '127.0.0.1:3'], env)).toMatchObject({
    kind: 'run',
    config: { 'data-dir': '/file', http: { port: 2 }, agents: { port: 3 } },
  })
})

describe('the file', () => {
  test.each(['data_dir: /x', 'data-dir: /x'])('may say %s', (text) => {
    expect(fromFile(text)).toMatchObject({ kind: 'run', config: { 'data-dir': '/x' } })
  })

  test('may name a file that holds the password', () => {
    expect(fromFile(`admin_password_file: ${secretFile}`)).toMatchObject({
      kind: 'run',
      config: { 'admin-password': 'correct horse battery' },
    })
  })

  test('may be empty', () => {
    expect(fromFile('')).toMatchObject({ kind: 'run' })
  })

  test.each([
    ['bogus: 1', '"bogus" is not a setting'],
    ['constructor: 1', '"constructor" is not a setting'],
    ['http_file: /x', '"http_file" is not a setting'],
    ['data_dir: /x\ndata-dir: /y', '"data-dir" is given twice'],
    ['- a', 'must hold settings by name'],
    ['http: [1', 'Flow sequence'],
    ['http: nonsense', '--http (NXMESH_HTTP): must be host:port'],
    ['admin_password_file: /nowhere', 'ENOENT'],
    ['smtp_url: smtp://mail.example.com', '--smtp-from (NXMESH_SMTP_FROM) go together'],
    ['outbound_networks: 10.0.0.0/33', '--outbound-networks (NXMESH_OUTBOUND_NETWORKS): must be addresses'],
  ])('%j is refused', (text, message) => {
    expect(fromFile(text)).toMatchObject({ kind: 'refused', message: expect.stringContaining(message) })
  })
})

describe('the environment', () => {
  test('may name a file that holds the password', () => {
    expect(readConfig([], { NXMESH_ADMIN_PASSWORD_FILE: secretFile })).toMatchObject({
      config: { 'admin-password': 'correct horse battery' },
    })
  })

  test('must not give the password twice', () => {
    expect(readConfig([], { NXMESH_ADMIN_PASSWORD_FILE: secretFile, NXMESH_ADMIN_PASSWORD: 'another one' })).toEqual({
      kind: 'refused',
      message: 'NXMESH_ADMIN_PASSWORD and NXMESH_ADMIN_PASSWORD_FILE must not both be given',
    })
  })
})

describe('the settings of the export', () => {
  test('hold headers as pairs, also from a file', () => {
    const file = fileOf('headers', 'Authorization=Bearer%20s3cret%3D, x-scope = a\n')
    expect(readConfig([], { NXMESH_OTLP_HEADERS_FILE: file })).toMatchObject({
      config: { 'otlp-headers': { authorization: 'Bearer s3cret=', 'x-scope': 'a' }, 'otlp-signals': ['logs', 'metrics'] },
    })
  })

  test.each([
    ['--otlp-headers', 'secret'],
    ['--otlp-headers', 'a=%zz'],
    ['--otlp-headers', 'a=%0d%0ab'],
    ['--otlp-headers', 'a b=c'],
    ['--otlp-signals', 'traces'],
    ['--otlp-endpoint', 'localhost:4318'],
    ['--otlp-endpoint', 'ftp://localhost'],
    ['--otlp-compression', 'zstd'],
  ])('%s %s is refused without a word of the value', (flag, value) => {
    const asked = readConfig([flag, value], {})
    expect(asked).toMatchObject({ kind: 'refused', message: expect.stringContaining(flag) })
    expect(JSON.stringify(asked)).not.toContain(value)
  })
})

test('--help names every setting with its variable', () => {
  for (const [name, { env }] of Object.entries(settings)) expect(helpText()).toMatch(new RegExp(`--${name} +${env} `))
})
