import { freePort } from '@nxmesh/testkit/ports'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { importConfig } from '../src/import/import.ts'
import { readSources } from '../src/import/includes.ts'
import { id } from './support/config.ts'
import { binaries } from './support/nginx-versions.ts'
import { get, serve, serveHttp } from './support/real-nginx.ts'

// What nginx answers with a configuration, and what it answers with what was imported from it.

const runs = Number(process.env.NXMESH_IMPORT_RUNS ?? 4)
const pick = fc.constantFrom
const many = <T>(one: fc.Arbitrary<T>, maxLength: number) => fc.array(one, { maxLength })

const header = fc
  .tuple(pick('X-A', 'X-B', 'X-C', 'x-a'), pick('1', '"two words"', '$host', '"$a-$b"', "'q\"'"), pick('', ' always'))
  .map(([name, value, always]) => `add_header ${name} ${value}${always};`)
// At one level NxMesh sets a header once.
const headers = fc.uniqueArray(header, { maxLength: 2, selector: (text) => text.split(' ')[1]!.toLowerCase() })
const rewriting = (then: string[]) =>
  fc.oneof(
    fc.tuple(pick('$a', '$b'), pick('1', '"x y"', '$uri', '"$a$b"', '${arg_q}z')).map(([name, value]) => `set ${name} ${value};`),
    fc
      .tuple(pick('($arg_q)', '($a = 1)', '($uri ~ ^/a)', '($request_method != GET)'), pick(...then))
      .map(([condition, done]) => `if ${condition} { ${done} }`),
    fc
      .tuple(
        pick('^/a/(.*)$', '^/c', '"^/d{1,2}$"'),
        pick('/b/$1', '/e', '/b?y=1', 'http://x.test/$1'),
        pick('', ' last', ' break', ' redirect', ' permanent'),
      )
      .map(([pattern, target, flag]) => `rewrite ${pattern} ${target.replace('$1', pattern.includes('(') ? '$1' : '1')}${flag};`),
  )
const answer = pick(
  'return 200 "$uri $a $b\n";',
  'return 302 /there?$args;',
  'return 404;',
  "return 200 'it\\'s {; } ok';",
  'try_files /none =204;',
)
const access = many(pick('allow 127.0.0.1;', 'deny all;', 'allow all;', 'deny 127.0.0.1;'), 3).map((lines) => lines.join(' '))
const inServer = ['return 403;', 'set $b if;', 'rewrite ^ /b?x break;']
const level = (then: string[]) =>
  fc.tuple(headers, many(rewriting(then), 2), access).map(([set, rewrites, rules]) => [...set, ...rewrites, rules].join('\n'))
const path = pick(
  '/',
  '/a',
  '^~ /a/b',
  '= /b',
  '~ ^/c(.*)$',
  '~* \\.PHP$',
  '/d%20e',
  '"/f g"',
  '"~ ^/d{1,2}$"'.replace(/"~ (.*)"/, '~ "$1"'),
  '=/e',
  '/b/',
)
const nested = fc.option(fc.tuple(pick('~ \\.x$', '~ y'), answer, many(header, 1)), { nil: undefined })
const location = fc.tuple(path, level([...inServer, 'add_header X-If 1;']), answer, nested).map(([where, inside, end, inner]) => {
  const within = inner && !where.startsWith('=') ? `location ${inner[0]} { ${inner[2].join('')} ${inner[1]} }` : ''
  return { where, text: `location ${where} { ${inside}\n${within}\n${end} }` }
})
const server = fc.record({
  names: pick('one.test', 'two.test *.two.test', '~^(?<sub>.+)\\.re\\.test$', '_', 'one.test three.test', ''),
  isDefault: fc.boolean(),
  addresses: fc.oneof(
    { weight: 3, arbitrary: fc.constant<string[]>(['*']) },
    fc.subarray<string>(['*', '127.0.0.1', '127.0.0.2'], { minLength: 1 }),
  ),
  inside: level(inServer),
  locations: fc.uniqueArray(location, { maxLength: 4, selector: ({ where }) => where.replace(/^\^~ /, '').replace(/^= ?/, '=') }),
  end: fc.option(pick('return 200 "server $host";', 'return 444;'), { nil: undefined, freq: 4 }),
})
const config = fc.tuple(headers, fc.array(server, { minLength: 1, maxLength: 3 }))

const paths = [
  '/',
  '/a',
  '/a/b',
  '/a/b?q=1',
  '/b',
  '/b/z.x',
  '/c',
  '/cc?q',
  '/d',
  '/dd',
  '/d%20e',
  '/d%2520e',
  '/f%20g',
  '/e',
  '/x.php',
  '/ay.x',
]
const hosts = ['one.test', 'two.test', 'w.two.test', 's.re.test', 'unknown.test']

/** What of an answer must be the same: status, where it leads, the headers that were asked for and the text. */
function essence(text: string): string {
  const [head = '', ...body] = text.split('\r\n\r\n')
  const [status = '', ...headers] = head.split('\r\n')
  const kept = headers
    .filter((line) => /^(x-|location)/i.test(line))
    .map((line) => line.replace(/^location: https?:\/\/[^/]*\.test(:\d+)?\//i, 'Location: /'))
  const code = /^HTTP\/1.1 (\d+)/.exec(status)?.[1] ?? 'closed'
  return [code, ...kept.sort(), code === '200' ? body.join('\r\n\r\n') : ''].join('\n')
}

const addresses = ['127.0.0.1', '127.0.0.2']

async function answers(port: number): Promise<string[]> {
  const ask = async (host: string, where: string, name: string) => {
    const answer = await get({ host, port }, where, name).catch(({ code }: NodeJS.ErrnoException) => code ?? 'failed')
    return answer === 'ECONNREFUSED' ? answer : essence(answer)
  }
  return Promise.all(addresses.flatMap((address) => hosts.flatMap((name) => paths.map((where) => ask(address, where, name)))))
}

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('answers as before once its configuration was imported', async () => {
    for (const [common, servers] of fc.sample(config, { numRuns: runs, seed: 21 })) {
      const port = await freePort()
      const defaults = servers.findIndex(({ isDefault }) => isDefault)
      const text = `map $uri $a { default d; }\nmap $host $b { default e; }\n${common.join('\n')}
${servers
  .map(
    ({ names, inside, locations, end = '', addresses: own }, at) => `server {
  ${own.map((address) => `listen ${address}:${port}${at === defaults ? ' default_server' : ''};`).join(' ')}
  ${names === '' ? '' : `server_name ${names};`}
  root /nowhere;
  ${inside}
  ${locations.map((one) => one.text).join('\n')}
  ${end}
}`,
  )
  .join('\n')}`
      const before = await (async () => {
        await using _server = await serveHttp(binary, (socket) => `${text}\nserver { listen unix:${socket}; return 200; }`)
        return await answers(port)
      })()
      const sources = readSources(new Map([['nginx.conf', `http { ${text} }`]]), 'nginx.conf')
      let count = 0
      const { virtual_hosts, upstreams, settings, lines } = importConfig(sources, {
        newId: () => id(1, ++count),
        findCertificate: () => undefined,
      })
      // Every request here names a host.
      const unreachable = /no request reaches it|only requests without the name of a host reach it/
      expect(lines.filter(({ outcome, message }) => outcome === 'left_out' && !unreachable.test(message ?? ''))).toEqual([])
      await using _server = await serve(binary, { virtual_hosts, upstreams, settings, certificates: {} })
      const asked = addresses.flatMap((address) => hosts.flatMap((host) => paths.map((where) => `${address} ${host}${where}`)))
      const after = await answers(port)
      expect(
        after.map((line, at) => `${asked[at]} ${line}`),
        text,
      ).toEqual(before.map((line, at) => `${asked[at]} ${line}`))
    }
  })
})
