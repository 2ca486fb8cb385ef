import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { loadLines } from '../src/facts.ts'
import { isOfMail, mailNames, mayRepeatInMail } from '../src/mail-directives.ts'
import { render } from '../src/render.ts'
import { type ConfigDraft, configOf } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { serve, targetFor, temporaryFolder, testFile, testRendered } from './support/real-nginx.ts'

const usable = binaries.filter(({ facts }) => facts.supports.mail)

/** Listens on a port of its own until the end of the block. */
async function listening(server: Server): Promise<AsyncDisposable & { port: number }> {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => open.add(socket.on('error', () => {})))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A POP3 server that lets in whoever comes and then says its name. */
function pop3(name: string): Promise<AsyncDisposable & { port: number }> {
  return listening(
    createServer((socket) => {
      socket.write('+OK\r\n')
      socket.on('data', (data) => socket.write(data.toString().startsWith('STAT') ? `+OK ${name}\r\n` : '+OK\r\n'))
    }),
  )
}

/** What nginx asks whether a user may come in, and where to: those called `known` may. */
function gate(port: () => number): Promise<AsyncDisposable & { port: number }> {
  return listening(
    createHttpServer(({ headers }, response) => {
      const isKnown = headers['auth-user'] === 'known'
      response.writeHead(
        200,
        isKnown ? { 'Auth-Status': 'OK', 'Auth-Server': '127.0.0.1', 'Auth-Port': String(port()) } : { 'Auth-Status': 'who are you' },
      )
      response.end()
    }),
  )
}

/** Says one line after another, each once the one before was answered, and gives the answers. */
async function talk(port: number, ...lines: string[]): Promise<string[]> {
  const socket = connect(port, '127.0.0.1')
  const answers: string[] = []
  try {
    for (const line of [undefined, ...lines]) {
      if (line !== undefined) socket.write(`${line}\r\n`)
      const [data] = (await once(socket, 'data')) as [Buffer]
      answers.push(data.toString().trim())
    }
    return answers
  } finally {
    socket.destroy()
  }
}

const mailOf = (mail_directives: string[], more: Partial<ConfigDraft> = {}) => configOf({ ...more, settings: { mail_directives } })
const auth = 'auth_http 127.0.0.1:1/auth'

test('there is an nginx with mail on this machine', () => expect(usable).not.toEqual([]))

describe.each(usable)('nginx $facts.version', (binary) => {
  test('a mail server asks who may come in, and leads there', async () => {
    await using backend = await pop3('the box')
    await using doors = await gate(() => backend.port)
    const port = await freePort()
    const directives = [`auth_http 127.0.0.1:${doors.port}/auth`, `server { listen 127.0.0.1:${port}; protocol pop3; timeout 1m; }`]
    await using _server = await serve(binary, mailOf(directives))
    expect(await talk(port, 'USER known', 'PASS x', 'STAT')).toEqual(['+OK POP3 ready', '+OK', '+OK', '+OK the box'])
    expect(await talk(port, 'USER other', 'PASS x')).toEqual(['+OK POP3 ready', '+OK', '-ERR who are you'])
  })

  test('hazard 108: what lacks something stops nginx, and its words lead back to the directive', () => {
    const { ok, output, rendered } = testRendered(binary, mailOf([auth, 'server { listen 1; protocol imap; pop3_auth nobody; }']))
    expect(ok).toBe(false)
    const line = Number(/mail\.conf:(\d+)/.exec(output)?.[1])
    expect(rendered.sources('mail.conf', line)).toEqual({ kind: 'settings', field: 'mail_directives.1' })
    for (const missing of [['server { listen 143; }'], [auth, 'server { listen 1; }'], [auth, 'server { listen 993 ssl; }']])
      expect(testRendered(binary, mailOf(missing)).ok).toBe(false)
  })

  test('hazard 109: a TCP port belongs to one kind of servers, and the mail server is the one that is left out', async () => {
    const port = await freePort()
    const virtual_hosts = [
      { server_name: 'a.test', listen_port: port, locations: [{ path: '/', custom_directives: { return: '200 http' } }] },
    ]
    const directives = [
      auth,
      `server { listen 127.0.0.1:${port}; protocol imap; }`,
      `server { listen ${await freePort()}; protocol imap; }`,
    ]
    await using server = await serve(binary, mailOf(directives, { virtual_hosts }))
    expect(server.rendered.findings).toEqual([
      {
        severity: 'error',
        kind: 'settings',
        field: 'mail_directives.1',
        message: `is left out: a virtual host has port TCP ${port} already`,
      },
    ])
    expect(server.rendered.listens.map((listen) => listen.port)).toHaveLength(2)
  })
})

test.each([false, true])('nginx allows in the mail block what the table does, within a server: %s', (inServer) => {
  const newest = usable.at(-1)!
  using folder = temporaryFolder()
  const file = join(folder.path, 'test.conf')
  const wrong = mailNames.filter((name) => {
    const mail = inServer ? `server { ${name}; }` : `${name};`
    writeFileSync(file, `${loadLines(newest.facts.modules.mail ?? [])}pid ${folder.path}/pid;\nevents {}\nmail { ${mail} }\n`)
    const { output } = testFile(newest, folder.path, file)
    return output.includes('unknown directive') || output.includes('is not allowed here') === isOfMail(name, inServer)
  })
  expect(wrong).toEqual([])
})

test('nginx takes twice what the table does, but for what it overrules', () => {
  const newest = usable.at(-1)!
  using folder = temporaryFolder()
  const file = join(folder.path, 'test.conf')
  const values = new Map([
    ...['auth_http_pass_client_cert', 'proxy_pass_error_message', 'proxy_protocol', 'proxy_smtp_auth', 'proxy', 'xclient'].map(
      (name) => [name, 'off'] as const,
    ),
    ...['ssl_prefer_server_ciphers', 'ssl_session_tickets', 'ssl_verify_client', 'starttls', 'ssl_certificate_compression'].map(
      (name) => [name, 'off'] as const,
    ),
    ...['timeout', 'proxy_timeout', 'resolver_timeout', 'auth_http_timeout', 'smtp_greeting_delay'].map((name) => [name, '1m'] as const),
    ...['imap_auth', 'pop3_auth', 'smtp_auth'].map((name) => [name, 'plain'] as const),
    ...['proxy_buffer', 'imap_client_buffer', 'smtp_client_buffer'].map((name) => [name, '4k'] as const),
    ...['max_errors', 'ssl_verify_depth'].map((name) => [name, '5'] as const),
    ...['resolver', 'set_real_ip_from'].map((name) => [name, '10.0.0.1'] as const),
    ['ssl_session_timeout', '1m'],
    ['auth_http_header', 'X-A b'],
    ['ssl_protocols', 'TLSv1.2'],
    ['listen', '127.0.0.1:1'],
  ])
  const wrong = mailNames.filter((name) => {
    const inServer = !isOfMail(name, false)
    const twice = [1, 2].map((at) => `${name} ${(values.get(name) ?? 'x').replace(':1', `:${at}`)};`).join(' ')
    writeFileSync(file, `${loadLines(newest.facts.modules.mail ?? [])}events {}\nmail { ${inServer ? `server { ${twice} }` : twice} }\n`)
    return testFile(newest, folder.path, file).output.includes('is duplicate') === mayRepeatInMail(name)
  })
  // Of these it takes the last, so that two say nothing that anybody wants.
  expect(wrong).toEqual(['auth_http', 'protocol'])
})

const [binary] = usable
const target = targetFor(binary!, '/x')

test.each([
  [{ mode: 'include' as const, directory: '/x' }, 'let the agent own nginx'],
  [{ facts: { ...binary!.facts, supports: { ...binary!.facts.supports, mail: false } } }, 'has no mail module'],
])('where no mail block can be it is left out, and said: %#', (over, reason) => {
  const { files, findings } = render(mailOf([auth, 'server { listen 143; }']), { ...target, ...over })
  expect(files.map(({ path }) => path)).not.toContain('mail.conf')
  expect(findings).toEqual([{ severity: 'error', kind: 'settings', field: 'mail_directives', message: expect.stringContaining(reason) }])
})

test('a server on what the machine does not have is left out alone', () => {
  const servers = ['192.0.2.9:143', '[::1]:143', '127.0.0.1:143'].map((where) => `server { listen ${where}; }`)
  const { findings, listens } = render(mailOf([auth, ...servers]), { ...target, ipv6: false, absent_addresses: ['192.0.2.9'] })
  expect(findings.map(({ field, message }) => `${field} ${message}`)).toEqual([
    'mail_directives.1 is left out: this machine does not have the address 192.0.2.9',
    'mail_directives.2 is left out: this machine has no IPv6',
  ])
  expect(listens).toEqual([{ port: 143, address: '127.0.0.1', transport: 'tcp' }])
})
