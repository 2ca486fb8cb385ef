import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { compareVersions } from '../src/facts.ts'
import { importConfig } from '../src/import/import.ts'
import { readSources } from '../src/import/includes.ts'
import { foreignNames } from '../src/shared-names.ts'
import { id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, serveHttp, testRendered } from './support/real-nginx.ts'

// What is used in one server, or around all of them, and set in another only.

function imported(http: string, beside = '') {
  const sources = readSources(new Map([['nginx.conf', `http { ${http} } ${beside}`]]), 'nginx.conf')
  let count = 0
  const { lines, ...found } = importConfig(sources, { newId: () => id(1, ++count), findCertificate: () => undefined })
  return { lines, config: { ...found, certificates: {} } }
}

const setting: [how: string, inside: string, where: string][] = [
  ['set', 'set $x 1;', '/'],
  ['set in an if of a location', 'location /in { if ($arg_q) { set $x $arg_q; } return 200 "in $x $kind"; }', '/in?q=7'],
  ['a group of a name', 'server_name ~^(?<x>a)\\.test$;', '/'],
  ['a group of a path', 'location ~ ^/(?<x>p.*) { return 200 "path $x $kind"; }', '/p1'],
  ['a group of a rewrite', 'rewrite "^/(?<x>r{2}.*)$" /to?$x;  location /to { return 200 "$args $kind"; }', '/rr'],
  ['a group of a condition', 'if ($uri ~ ^/(?<x>c.*)) { return 200 "$x $kind"; }', '/c1'],
]

const around = `map $x $kind { default "other"; "" none; ~^(1|7|a|c1|p1|rr)$ known; }`
const using = `location / { add_header X-Used "<$x>"; return 200 "b [$x] $kind $arg_r"; }
  location /if { if ($x) { return 201; } return 202; } location /not { if ($x = "") { return 203; } return 204; }
  location /go { rewrite ^ /there?r=$x last; }`

const essence = (text: string) => [/^HTTP\S+ (\d+)/.exec(text)?.[1], /^X-Used: .*/m.exec(text)?.[0].trim(), text.split('\r\n\r\n')[1]]

describe.each(binaries)('nginx $facts.version', (binary) => {
  test.each(setting)('%s: a variable of one server is empty in the other, before and after', async (_, inside, where) => {
    const port = await freePort()
    const own = inside.startsWith('server_name') ? '' : 'server_name a.test;'
    const first = `server { listen 127.0.0.1:${port}; ${own} ${inside} location /end { return 200 "a $x $kind"; } return 200 "a $x $kind"; }`
    // What a server answers by itself stands after its locations.
    const a = where === '/' ? first : first.replace(/return 200 "a \$x \$kind"; }$/, '}')
    const text = `${around} ${a} server { listen 127.0.0.1:${port}; server_name b.test; ${using} }`
    const asked = [
      ...[where, '/end'].map((path) => ['a.test', path] as const),
      ...['/', where, '/if', '/not', '/go'].map((path) => ['b.test', path] as const),
    ]
    const answers = () => Promise.all(asked.map(async ([host, path]) => essence(await get(port, path, host))))
    const before = await (async () => {
      await using _server = await serveHttp(binary, (socket) => `${text}\nserver { listen unix:${socket}; return 200; }`)
      return await answers()
    })()
    const { config } = imported(text)
    expect(config.virtual_hosts).toHaveLength(2)
    for (const host of config.virtual_hosts) expect(foreignNames(host, config.virtual_hosts, config.settings)).toEqual([])
    expect(before[0]).toContainEqual(expect.stringContaining('known'))
    expect(before[2]).toEqual(['200', 'X-Used: <>', 'b [] none '])
    {
      await using _server = await serve(binary, config)
      expect(await answers()).toEqual(before)
    }
    // Agents may have either of them, or none.
    for (const virtual_hosts of [...config.virtual_hosts.map((host) => [host]), []])
      expect(testRendered(binary, { ...config, virtual_hosts }).output).toContain('test is successful')
  })

  const setsInStreams = binary.facts.supports.stream && compareVersions(binary.facts.version, '1.19.3') >= 0
  test.runIf(setsInStreams)('so it is with streams', () => {
    const text = 'server { listen 18481; set $x 1; return $x; } server { listen 18482; return "<$x>"; }'
    const { config } = imported('', `stream { ${text} }`)
    for (const stream_hosts of [config.stream_hosts, ...config.stream_hosts.map((host) => [host])])
      expect(testRendered(binary, { ...config, stream_hosts }).output).toContain('test is successful')
  })

  test('where the server that sets it is left out, the other one is not', () => {
    const left = 'server { listen 18480; server_name a.test; set $x 1; js_content a.b; }'
    const { config, lines } = imported(`${around} ${left} server { listen 18480; server_name b.test; ${using} }`)
    expect(config.virtual_hosts.map(({ server_name }) => server_name)).toEqual(['b.test'])
    expect(lines.find(({ outcome }) => outcome === 'left_out')?.message).toContain('"js_content" is not allowed')
    expect(testRendered(binary, config).output).toContain('test is successful')
  })
})

test('what is defined for all servers by what is left out is no empty variable', () => {
  const a = 'server { listen 80; server_name a.test; set $x 1; return 200 $x; }'
  const { config, lines } = imported(`geoip2 g.mmdb { $x country; } ${a} server { listen 80; server_name b.test; return 200 $x; }`)
  expect(config.virtual_hosts.map(({ server_name }) => server_name)).toEqual(['a.test _'])
  expect(lines.map(({ message }) => message)).toContainEqual(
    'its server is left out: uses $x, and the "geoip2" that defines it cannot be taken over',
  )
  const captured = imported('map $host $y { ~^(?<x>.)\\.test 1; include missing.conf; } server { listen 80; return 200 $x; }')
  expect(captured.config.virtual_hosts).toEqual([])
})

test('only what is used elsewhere is defined around the servers', () => {
  const a = 'server { listen 80; server_name a.test; set $x 1; set $args a=$x; return 200 $x$args; }'
  const b = 'server { listen 80; server_name b.test; set $x 2; return 200 "$x$args"; }'
  expect(imported(`${a} ${b}`).config.settings).not.toHaveProperty('extra_directives')
})
