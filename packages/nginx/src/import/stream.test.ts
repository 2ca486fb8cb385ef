import { expect, test } from 'vitest'
import { id } from '../../tests/support/config.ts'
import { importConfig } from './import.ts'
import { readSources } from './includes.ts'
import { differencesAfterImport } from './proof.ts'

function imported(stream: string, certificate?: string) {
  const sources = readSources(new Map([['/etc/nginx/nginx.conf', `events {}\nstream {\n${stream}\n}\n`]]), '/etc/nginx/nginx.conf')
  expect(sources.problems).toEqual([])
  let ids = 0
  const found = importConfig(sources, { newId: () => id(1, ++ids), findCertificate: () => certificate && id(3, Number(certificate)) })
  const differences = differencesAfterImport(sources, found)
    .filter(({ context }) => context.startsWith('stream'))
    .map(({ change, context, directive }) => `${change} ${context}: ${directive}`)
  return { ...found, differences, left: found.lines.filter(({ outcome }) => outcome === 'left_out').map(({ message }) => message) }
}

test('servers become stream hosts, and where they lead to upstreams', () => {
  const { stream_hosts, upstreams, differences, left } = imported(`
    upstream databases { least_conn; zone db 64k; server 10.0.0.1:5432 weight=2; server db.internal:5432 backup; }
    server { listen 5432; listen [::]:5432; proxy_pass databases; proxy_timeout 1h; allow 10.0.0.0/8; deny all; }
    server { listen 53 udp reuseport; proxy_pass dns.internal:53; proxy_responses 1; }
    server { listen 3306; listen 3307; proxy_pass dns.internal:53; }
  `)
  expect(left).toEqual([])
  expect(differences).toEqual([])
  expect(upstreams.map(({ name, algorithm, servers }) => [name, algorithm, servers.length])).toEqual([
    ['databases', 'least_connections', 2],
    ['dns.internal:53', 'round_robin', 1],
  ])
  expect(stream_hosts.map(({ protocol, listen_port, upstream_id }) => [protocol, listen_port, upstream_id])).toEqual([
    ['tcp', 5432, upstreams[0]!.id],
    ['udp', 53, upstreams[1]!.id],
    ['tcp', 3306, upstreams[1]!.id],
    ['tcp', 3307, upstreams[1]!.id],
  ])
  expect(stream_hosts[0]).toMatchObject({ custom_directives: { proxy_timeout: '1h' }, extra_directives: ['allow 10.0.0.0/8', 'deny all'] })
})

test('servers on single addresses become stream hosts that listen there, one for what is alike', () => {
  const { stream_hosts, lines, differences, left } = imported(
    `
    server { listen 10.0.0.1:5432; listen [2001:DB8:0::1]:5432; listen 10.0.0.1:5433; proxy_pass 10.0.0.9:5432; }
    server { listen 5432; proxy_pass 10.0.0.8:5432; }
    server { listen 10.0.0.2:53 udp reuseport; listen localhost:53 udp; proxy_pass 10.0.0.7:53; }
    server { listen 10.0.0.1:53 udp; listen 53; listen 10.0.0.3:53 proxy_protocol; listen 10.0.0.4:53 proxy_protocol; proxy_pass 10.0.0.6:53; }
    server { listen 10.0.0.1:993 ssl; listen 10.0.0.2:993; ssl_certificate /c.pem; ssl_certificate_key /k.pem; proxy_pass 10.0.0.5:143; }
  `,
    '1',
  )
  expect(left).toEqual([])
  expect(differences.filter((line) => !line.includes(': ssl_'))).toEqual([])
  const listening = stream_hosts.map(({ name, protocol, listen_port, listen_addresses, ssl_enabled, accept_proxy_protocol }) => [
    name,
    protocol,
    listen_port,
    listen_addresses,
    ...(ssl_enabled ? ['tls'] : []),
    ...(accept_proxy_protocol ? ['proxy'] : []),
  ])
  expect(listening).toEqual([
    ['tcp 5432 on 10.0.0.1', 'tcp', 5432, ['10.0.0.1', '2001:db8::1']],
    ['tcp 5433 on 10.0.0.1', 'tcp', 5433, ['10.0.0.1']],
    ['tcp 5432', 'tcp', 5432, undefined],
    ['udp 53 on 10.0.0.2', 'udp', 53, ['10.0.0.2', '127.0.0.1']],
    ['udp 53 on 10.0.0.1', 'udp', 53, ['10.0.0.1']],
    ['tcp 53', 'tcp', 53, undefined],
    ['tcp 53 on 10.0.0.3', 'tcp', 53, ['10.0.0.3', '10.0.0.4'], 'proxy'],
    ['tcp 993 on 10.0.0.1', 'tcp', 993, ['10.0.0.1'], 'tls'],
    ['tcp 993 on 10.0.0.2', 'tcp', 993, ['10.0.0.2']],
  ])
  const noted = (listen: string) => lines.find(({ directive }) => directive === `listen ${listen}`)
  expect(noted('localhost:53 udp')).toMatchObject({
    outcome: 'imported',
    field: 'listen_addresses',
    object: { kind: 'stream_host', name: 'udp 53 on 10.0.0.2' },
    message: 'localhost is taken to be 127.0.0.1',
  })
  expect(noted('53')).toMatchObject({ field: 'listen_port', object: { name: 'tcp 53' } })
})

test('what a variable decides stays with what it needs', () => {
  const { stream_hosts, settings, differences, left } = imported(`
    map $ssl_preread_server_name $to { a.test one; default two; }
    upstream one { server 10.0.0.1:443; }
    upstream two { hash $remote_addr consistent; server 10.0.0.2:443; }
    server { listen 443; ssl_preread on; proxy_pass $to; proxy_protocol on; }
  `)
  expect(left).toEqual([])
  expect(differences).toEqual(['added stream: map_hash_bucket_size 128'])
  expect(stream_hosts).toMatchObject([
    { custom_directives: { ssl_preread: 'on', proxy_protocol: 'on' }, extra_directives: ['proxy_pass $to'] },
  ])
  expect(settings.stream_directives?.map((text) => text.split(' ', 2).join(' '))).toEqual([
    'map $ssl_preread_server_name',
    'upstream one',
    'upstream two',
  ])
})

test('a variable that one server sets is empty in the others, whichever of them an agent has', () => {
  const { stream_hosts, settings, differences, left } = imported(`
    server { listen 1000; set $x 1; set $y 2; return "$x$y"; }
    server { listen 1001; set $y 3; return "<$x>$y"; }
  `)
  expect(left).toEqual([])
  expect(stream_hosts).toHaveLength(2)
  expect(settings.stream_directives).toEqual(['map "" $x {\n    default "";\n}'])
  expect(differences.map((line) => line.replace(/\s+/g, ' '))).toContainEqual(expect.stringContaining('added stream: map "" $x'))
})

test('TLS takes the certificate that stands for the file, and the PROXY protocol is asked for', () => {
  const server = 'server { listen 993 ssl proxy_protocol; ssl_certificate /c.pem; ssl_certificate_key /k.pem; proxy_pass 10.0.0.1:143; }'
  expect(imported(server, '1')).toMatchObject({
    stream_hosts: [{ ssl_enabled: true, ssl_certificate_id: id(3, 1), accept_proxy_protocol: { trusted: [] } }],
    certificates: [{ path: '/c.pem', certificate_id: id(3, 1) }],
    left: [],
    differences: expect.not.arrayContaining([expect.stringMatching(/^removed/)]),
  })
  expect(imported(server).left).toContainEqual(expect.stringContaining('no certificate of the workspace stands for "/c.pem"'))
})

test('sockets become one stream host beside that of the port', () => {
  const { stream_hosts, left, differences } = imported(`
    server { listen 25; listen unix:/run/a.sock; listen unix:/run/b.sock proxy_protocol; listen unix:/run/c.sock; proxy_pass 10.0.0.2:25; }
  `)
  expect([left, differences]).toEqual([[], []])
  expect(stream_hosts.map(({ listen_addresses, accept_proxy_protocol }) => [listen_addresses, accept_proxy_protocol?.trusted])).toEqual([
    [undefined, undefined],
    [['unix:/run/a.sock', 'unix:/run/c.sock'], undefined],
    [['unix:/run/b.sock'], []],
  ])
})

test.each([
  ['server { listen unix:run/x.sock; proxy_pass 10.0.0.2:25; }', 'listens on the unix socket run/x.sock, which a stream host cannot have'],
  ['server { listen unix:/run/x.sock udp; proxy_pass 10.0.0.2:25; }', 'a unix socket cannot be had for datagrams'],
  ['server { listen mail.test:25; proxy_pass 10.0.0.2:25; }', 'listens on "mail.test", which is no address that a stream host can have'],
  ['server { listen 10.0.0.1; proxy_pass 10.0.0.2:25; }', 'listens on "10.0.0.1"'],
  ['server { listen 5000-5010; proxy_pass 10.0.0.2:25; }', 'listens on "5000-5010"'],
  ['server { listen 25; proxy_pass 10.0.0.2:25; js_access x; }', '"js_access" is not allowed'],
  ['server { listen 25; }', 'is required where no directive says where it goes'],
  ['js_import x.js;', '"js_import" is not allowed'],
])('%s is left out whole, and told', (text, reason) => {
  const { stream_hosts, left, differences } = imported(text)
  expect(stream_hosts).toEqual([])
  expect(left).toContainEqual(expect.stringContaining(reason))
  expect(differences).not.toEqual([])
})

test('what needs a balancer in Lua is left out with it, whatever the workspace allows', () => {
  const lua = 'upstream app { server 0.0.0.1:1; balancer_by_lua_block { balance() } } map $remote_addr $to { default app; }'
  const sources = readSources(
    new Map([['n.conf', `stream { ${lua} server { listen 1000; proxy_pass app; } server { listen 1001; proxy_pass 10.0.0.1:1; } }`]]),
    'n.conf',
  )
  let ids = 0
  const found = importConfig(sources, { newId: () => id(1, ++ids), findCertificate: () => undefined, allowed: { lua: true } })
  expect(found.stream_hosts.map(({ listen_port }) => listen_port)).toEqual([1001])
  expect(found.lines.flatMap(({ directive, message }) => (directive === 'balancer_by_lua_block' ? [message] : []))).toEqual([
    '"balancer_by_lua_block" is not allowed: it runs code on the host, and no stream runs any',
  ])
  expect(found.lines.find(({ directive }) => directive === 'proxy_pass app')?.message).toBe(
    'uses app, and the "upstream" that defines it cannot be taken over',
  )
})
