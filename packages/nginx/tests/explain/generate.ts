import fc from 'fast-check'
import { maybe, pick } from './pick.ts'
import { type Ask, ask } from './requests.ts'
import { ifInLocation, ifInServer, regex, rule, template } from './rules.ts'

/** A generated configuration, its ports and folders still to be filled in, and the requests to ask of it. */
export interface Scenario {
  http: string
  requests: Ask[]
}

const access = fc.oneof(
  pick(
    'deny all;',
    'allow all;',
    'allow 127.0.0.2; deny all;',
    'deny 127.0.0.3;',
    'allow 127.0.0.0/31; deny 127.0.0.0/8;',
    'allow ::/64; deny all;',
    'allow ::1; deny ::/64;',
    'deny ::1; allow 10.0.0.0/8; deny all;',
    'deny 127.0.0.2/31;',
  ),
)
const password = pick(
  'auth_basic "r"; auth_basic_user_file {ROOT}/index.html;',
  'auth_basic off;',
  'auth_basic "r$v1"; auth_basic_user_file {ROOT}/index.html;',
)
const satisfy = pick('satisfy any;', 'satisfy all;')
const errorPage = fc
  .tuple(
    pick('404', '403', '404 403', '401', '500 502', '410 405', '301 302', '405'),
    pick('', '', '=', '=200', '=404', '=302'),
    pick('/e404.html', '/err/$uri', '/a?e=1', '@n1', 'http://e.test/$uri', '/deny', '/missing', '@n2'),
  )
  .map(([codes, sign, to]) => `error_page ${codes} ${sign} ${to};`)
const responses = fc
  .tuple(pick('X-R1', 'X-R2', 'X-R3'), template, pick('', '', ' always'))
  .map(([name, value, always]) => `add_header ${name} "${value}"${always};`)
const requestHeader = fc
  .tuple(
    pick('X-S1', 'X-S2', 'Host', 'X-A', 'Connection'),
    pick(
      '$host',
      '"$v1"',
      '$remote_addr',
      '$proxy_protocol_addr',
      '""',
      '$http_x_a',
      '$proxy_add_x_forwarded_for',
      'plain',
      '$http_host',
      '"$uri?$args"',
      '$proxy_host',
    ),
  )
  .map(([name, value]) => `proxy_set_header ${name} ${value};`)
const folder = pick('root {ROOT};', 'root {ROOT}/alt;', 'root {ROOT}/$host;')
const settings = (rare = 1) =>
  fc
    .tuple(
      maybe(access, 10 * rare),
      maybe(password, 16 * rare),
      maybe(satisfy, 4),
      fc.array(errorPage, { maxLength: 2 }),
      fc.array(responses, { maxLength: 2 }),
      fc.array(requestHeader, { maxLength: 2 }),
      maybe(fc.constant('recursive_error_pages on;'), 8 * rare),
      maybe(pick('absolute_redirect off;', 'port_in_redirect off;', 'server_name_in_redirect on;', 'set_real_ip_from 127.0.0.3;'), 6),
    )
    .map((parts) => parts.flat().join('\n'))

const triedInAlias = [
  'try_files $uri $uri/ =404;',
  'try_files $uri /a =404;',
  'try_files /$1 @n1;',
  'try_files $document_uri.html b $uri/index.html /e404.html;',
  'try_files /no $uri;',
  'try_files $uri/ /b /x$uri?t=$args;',
]

const params = fc
  .uniqueArray(
    fc.tuple(
      pick('SCRIPT_FILENAME', 'PATH_INFO', 'REQUEST_METHOD', 'QUERY_STRING', 'HTTP_X_A', 'HTTP_HOST', 'V'),
      pick('$document_root$fastcgi_script_name', '$fastcgi_path_info', '$request_method', '$args', '$arg_x', 'plain', '"$v1|$uri"'),
      pick('', '', ' if_not_empty'),
    ),
    { maxLength: 4, selector: ([name]) => name },
  )
  .map((all) => all.map(([name, value, condition]) => `{PROTOCOL}_param ${name} ${value}${condition};`).join(' '))
const application = fc
  .tuple(
    pick('fastcgi', 'fastcgi', 'uwsgi', 'scgi'),
    params,
    pick('', '', 'fastcgi_index i.php;'),
    pick('', '', 'fastcgi_split_path_info "^(.+?\\.php)(/.*)?$";', 'fastcgi_split_path_info ^(/a)(/.+)$;'),
    pick('', '', '', '{PROTOCOL}_pass_request_headers off;'),
  )
  .map(([protocol, ...parts]) => `{PROTOCOL}_pass {${protocol.toUpperCase()}}; ${parts.join(' ')}`.replaceAll('{PROTOCOL}', protocol))
const grpc = fc
  .uniqueArray(
    fc
      .tuple(pick('X-S1', 'Host', 'X-A', 'TE', 'Content-Length'), pick('$host', '"$v1"', '""', '$http_x_a', 'plain'))
      // Without any host the upstream of this test answers nothing.
      .filter(([name, value]) => (name === 'Host' ? value === '$host' || value === 'plain' : name.startsWith('X') || value === '""')),
    { maxLength: 2, selector: ([name]) => name },
  )
  .map((all) => `grpc_pass grpc://{GRPC}; ${all.map(([name, value]) => `grpc_set_header ${name} ${value};`).join(' ')}`)

/** What becomes of the request itself where it is passed on. */
const sent = pick(
  'proxy_set_body "b=$arg_x";',
  'proxy_set_body "$v1|é";',
  'proxy_set_body "";',
  'proxy_pass_request_body off;',
  'proxy_pass_request_headers off;',
  'proxy_method PUT;',
  'proxy_http_version 1.0;',
)

type Kind = 'plain' | 'regex' | 'named'
const content = (kind: Kind) => {
  const proxied = [
    'proxy_pass http://{BACKEND};',
    'proxy_pass http://up;',
    'proxy_pass http://$m3;',
    'proxy_pass http://{BACKEND}$request_uri;',
    'proxy_pass http://{BACKEND}/v/$1?q=$arg_x;',
  ]
  const withUri =
    kind === 'plain'
      ? ['proxy_pass http://{BACKEND}/;', 'proxy_pass http://up/base/;', 'proxy_pass http://{BACKEND}/base;', 'proxy_pass http://up/q?x=;']
      : []
  const alias = kind === 'plain' ? ['alias {ROOT}/alt/;', 'alias {ROOT}/a;'] : kind === 'regex' ? ['alias {ROOT}/$1;', 'alias {ROOT};'] : []
  return fc.oneof(
    { weight: 5, arbitrary: fc.tuple(pick(...proxied, ...withUri), maybe(sent, 3)).map((parts) => parts.join(' ')) },
    { weight: 2, arbitrary: fc.oneof(application, grpc) },
    { weight: 3, arbitrary: template.map((text) => `return 200 "C|${text}";`) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(
          maybe(folder),
          maybe(pick('index index.html;', 'index no.html b index.html;', 'index /a/b;', 'index $arg_x index.html;'), 2),
          maybe(pick('autoindex on;'), 6),
        )
        .map((parts) => parts.join(' ')),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(
          maybe(folder),
          pick(
            'try_files $uri $uri/ /e404.html;',
            'try_files $uri =404;',
            'try_files $uri =408;',
            'try_files $uri =200;',
            'try_files $uri @n1;',
            'try_files /no$uri $uri/index.html /a?t=$args;',
            'try_files $uri $uri.html $uri/ =403;',
            'try_files $uri/ $uri /deny;',
            'try_files /x$1 @n2;',
          ),
        )
        .map((parts) => parts.join(' ')),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(pick(...alias, 'root {ROOT};'), maybe(pick(...triedInAlias), 2)).map((parts) => parts.join(' ')),
    },
    { weight: 1, arbitrary: fc.constant('') },
  )
}
const limit = fc
  .tuple(
    pick('GET', 'POST', 'GET POST'),
    pick('deny all;', 'allow 127.0.0.2; deny all;', 'auth_basic "l"; auth_basic_user_file {ROOT}/index.html;'),
  )
  .map(([methods, body]) => `limit_except ${methods} { ${body} }`)
const body = (kind: Kind) =>
  fc
    .tuple(
      fc.array(rule(ifInLocation), { maxLength: 3 }),
      content(kind),
      settings(),
      maybe(limit, 12),
      maybe(fc.constant('internal;'), 25),
      maybe(pick('client_max_body_size 5;', 'client_max_body_size 1k;'), 20),
    )
    .map((parts) => parts.flat().join('\n'))

interface Block {
  key: string
  text: string
}
const paths = [
  '/',
  '/',
  '/',
  '/',
  '/a',
  '/a/',
  '/a/b',
  '/ab',
  '/app',
  '/app/',
  '/app-x',
  '/i/',
  '/x',
  '/a.b',
  '/a b',
  '/deny',
  '/err/',
  '/b/',
  '/app/x',
  '/AB',
  '/e404.html',
  '/to/',
  '/a/b/c/',
  '/app!/',
]
const prefix = (under: string, nested: fc.Arbitrary<string>) =>
  fc
    .tuple(pick('', '', '', '=', '^~'), pick(...paths.filter((path) => path.startsWith(under))), body('plain'), nested)
    .map(([sign, path, inner, more]): Block => {
      const exact = sign === '='
      return {
        key: exact ? `= ${path}` : path,
        text: `location ${sign} "${path}" {\n${inner}\n${exact ? '' : more.replaceAll('{UNDER}', path)}\n}`,
      }
    })
const byRegex = fc
  .tuple(pick('~', '~*'), regex, body('regex'))
  .map(([sign, text, inner]): Block => ({ key: `${sign} ${text}`, text: `location ${sign} "${text}" {\n${inner}\n}` }))
const joined = (blocks: Block[]) => {
  const taken = new Set<string>()
  return blocks
    .filter(({ key }) => key.startsWith('~') || (!taken.has(key) && taken.add(key)))
    .map(({ text }) => text)
    .join('\n')
}
// What is nested must begin with the path around it.
const inner = fc.array(
  fc.oneof(
    fc.tuple(pick('', '=', '^~'), pick('', 'b', '/b', 'x/', 'pp'), body('plain')).map(
      ([sign, more, text]): Block => ({
        key: `${sign === '=' ? '= ' : ''}${more}`,
        text: `location ${sign} "{UNDER}${more}" {\n${text}\n}`,
      }),
    ),
    byRegex,
  ),
  { maxLength: 2 },
)
const nestedText = fc.oneof({ weight: 4, arbitrary: fc.constant('') }, { weight: 1, arbitrary: inner.map(joined) })

const names = [
  'a.test',
  'b.test',
  '*.a.test',
  '.c.test',
  'www.*',
  '*.x.a.test',
  '"~^(?<sub>\\w+)\\.re\\.test$"',
  '"~^x(.+)\\.test$"',
  '"~B"',
  '""',
  '_',
  'www.a.test',
  'www.x.*',
  '127.0.0.1',
]
const listens = [
  'listen {P1};',
  'listen {P1} default_server;',
  'listen {P2};',
  'listen 127.0.0.1:{P1};',
  'listen 127.0.0.2:{P1};',
  'listen {P2} default_server;',
  'listen *:{P1};',
  'listen [::]:{P1};',
  'listen [::]:{P1} default_server;',
  'listen [::1]:{P1};',
  'listen [::]:{P2};',
]
/** Each is given to some of the listens of a port; nginx takes what one listen of an address says for all. */
const speaks = pick('', '', '', '', '', 'ssl', 'ssl', 'proxy_protocol', 'ssl proxy_protocol')
const server = fc
  .tuple(
    fc
      .uniqueArray(fc.tuple(pick(...listens), speaks), {
        minLength: 1,
        maxLength: 3,
        selector: ([text]) => text.replace(' default_server', '').replace('*:', ''),
      })
      .map((all) => all.map(([text, protocol]) => (protocol === '' ? text : text.replace(';', ` ${protocol};`)))),
    fc.uniqueArray(pick(...names), { maxLength: 3 }),
    fc.array(rule(ifInServer), { maxLength: 1 }),
    settings(3),
    fc.array(fc.oneof({ weight: 3, arbitrary: prefix('/', nestedText) }, { weight: 2, arbitrary: byRegex }), {
      minLength: 1,
      maxLength: 6,
    }),
    maybe(folder, 2),
    maybe(pick('merge_slashes off;', 'underscores_in_headers on;', '{REJECT}'), 8),
    body('named'),
    maybe(
      pick(
        'set_real_ip_from 127.0.0.2; real_ip_header X-Forwarded-For;',
        'set_real_ip_from 127.0.0.0/29; real_ip_header proxy_protocol;',
        'set_real_ip_from ::1; set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol; real_ip_recursive on;',
      ),
      5,
    ),
  )
  .map(([on, called, rules, common, locations, root, odd, named, trust]) => {
    const serverNames = called.length === 0 ? '' : `server_name ${called.join(' ')};`
    const fallbacks = `location @n1 {\n${named}\n}\nlocation @n2 { return 200 "N2|$uri|$args|$v1"; }`
    return [on.join('\n'), serverNames, rules.join('\n'), common, root, odd, trust, joined(locations), fallbacks].join('\n')
  })

const shared = `
map $uri $m1 { default ""; /a 1; "~^/b(?<mb>.*)$" "m$mb"; "~*^/A/" caught; }
map $arg_x:$http_x_a $m2 { default d; ":" none; "1:" one; "~:(.+)$" $1; }
map $arg_to $m3 { default {BACKEND}; up up; }
map $host $m4 { hostnames; default 0; .a.test 1; b.* 2; }
map "" $unused { "~(?<sub>x)(?<v1>y)(?<v2>z)(?<v3>w)" 1; }
geo $g1 { default 0; ::1 six; 127.0.0.0/30 1; 127.0.0.2 two; 127.0.0.3/32 ""; }
upstream up { server {BACKEND} weight=2; server 127.0.0.1:1 backup; }
root {ROOT};
ssl_certificate {CERT};
ssl_certificate_key {CERT};
`

/** The text of an http block with several servers. Each address has at most one default server. */
const config = fc
  .tuple(
    fc.array(server, { minLength: 2, maxLength: 5 }),
    fc.array(responses, { maxLength: 1 }),
    fc.array(errorPage, { maxLength: 1 }),
    pick(false, false, true),
  )
  .map(([servers, added, pages, dual]) => {
    const defaults = new Set<string>()
    const blocks = (dual ? dualStacked(servers) : servers).map((text) => {
      const cleaned = text.replace(/listen (\S+) default_server/g, (_, where: string) => {
        const address = where.replace('*:', '')
        const first = !defaults.has(address)
        defaults.add(address)
        return `listen ${where}${first ? ' default_server' : ''}`
      })
      return `server {\n${cleaned}\n}`
    })
    return `${shared}${added.join('\n')}\n${pages.join('\n')}\n${blocks.join('\n')}`
  })

/** The second port with one socket for both families; nginx wants to hear of it once. */
function dualStacked(servers: string[]): string[] {
  let said = false
  return servers.map((text) => {
    let listens = 0
    return text.replace(/^listen (\[::\]:)?\{P2\}(.*);$/gm, (_, _family, options: string) => {
      if (listens++ > 0) return ''
      const open = said ? '' : ' ipv6only=off'
      said = true
      return `listen [::]:{P2}${options.replace(/ default_server/, '')}${open};`
    })
  })
}

/** Configurations with their requests. */
export const scenario = (requests: number): fc.Arbitrary<Scenario> =>
  fc.record({ http: config, requests: fc.array(ask, { minLength: requests, maxLength: requests }) })
