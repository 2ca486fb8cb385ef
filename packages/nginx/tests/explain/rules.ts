import fc from 'fast-check'
import { maybe, pick } from './pick.ts'

const variables =
  '$uri $args $1 $2 $v1 $v2 $arg_x $arg_Y $host $http_x_a $request_uri $is_args$args $sub $document_root $request_filename $m1 ' +
  '$m2 $g1 $cookie_c $remote_addr $request_method $server_name ${v1}x $scheme $server_port $http_host $document_uri $query_string $request $http_absent $m3 $realip_remote_addr $https $server_addr'
export const template = fc
  .array(pick(...variables.split(' '), 'k', '-', '/', '.'), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join('|'))

const pieces = [
  '/',
  '/a',
  'a',
  'b',
  '(a|b)',
  '(.*)',
  '([^/]+)',
  '(\\w)',
  '\\.',
  'php',
  '(?<v2>[a-z]+)',
  '.',
  '[ab]+',
  '(a)?',
  '(?:b|c)*',
  '(a|ab)(c|bcd)*',
  '\\d{1,2}',
  '(b+?)',
  '(?i)A',
  '(?=a)',
  '(?!b)',
  '\\x61',
  '[[:alpha:]]',
  '(a*)*',
  '(?>a+)',
  'a++',
  '\\1',
  '/+',
]
const loose = fc
  .tuple(fc.boolean(), fc.uniqueArray(pick(...pieces), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([start, parts, end]) => {
    const text = parts
      .filter(
        (part) => part !== '\\1' || parts.some((other) => other.startsWith('(a') || other.startsWith('(.') || other.startsWith('(\\')),
      )
      .join('')
    return `${start ? '^' : ''}${text}${end ? '$' : ''}`
  })
  .filter((text) => text !== '' && text !== '^' && text !== '$' && !text.startsWith('\\1') && !/^\^?\\1/.test(text))
export const regex = fc.oneof(
  pick('^/a', '^/(a|b)', '\\.php$', '^/(.*)$', '^/a/(\\w+)', '(?<v2>[a-z]+)$', '^/([^/]+)/?(.*)$', 'B', '^/(a)?(b)?', '/$', '^', '^/app'),
  loose,
)

const condition = fc.oneof(
  pick('$arg_x', '$v1', '$http_x_a', '$m1', '$1', '$g1').filter((name) => name !== '$1'),
  fc
    .tuple(
      pick('$arg_x', '$v1', '$http_x_a', '$request_method', '$host', '$m2'),
      pick('=', '!='),
      pick('1', 'a', 'POST', 'a.test', '""', '$v1', '"$1"'),
    )
    .map((parts) => parts.join(' ')),
  fc
    .tuple(pick('$uri', '$args', '$http_x_a', '$host', '$request_uri'), pick('~', '~*', '!~', '!~*'), regex)
    .map(([name, sign, text]) => `${name} ${sign} "${text}"`),
)

const targets = [
  '/',
  '/a',
  '/a/',
  '/a/b',
  '/b',
  '/app/',
  '/x.php',
  '/$1',
  '/a/$1',
  '/b/$2/$1',
  '$uri',
  '/n$uri',
  '/$v2',
  '/e404.html',
  '/i/',
  '/q/$arg_x',
]
const replacement = fc
  .tuple(pick(...targets), pick('', '', '', '?', '?k=1', '?k=$1', '?$args', '?k=1?', '?a=$1&b=$uri'))
  .map((parts) => parts.join(''))
const rewrite = fc.oneof(
  fc
    .tuple(regex, replacement, pick('', ' last', ' break', ' redirect', ' permanent', ' last', ' break'))
    .map(([from, to, flag]) => `rewrite "${from}" "${to}"${flag};`),
  fc
    .tuple(regex, pick('http://r.test/$1', 'https://r.test$uri?z=1', '$scheme://r.test/x'))
    .map(([from, to]) => `rewrite "${from}" "${to}";`),
)
const set = fc
  .tuple(pick('$v1', '$v1', '$v3', '$args'), template)
  .map(([name, value]) => `set ${name} "${name === '$args' ? 'x=1&s' : value}";`)
const returning = fc.oneof(
  template.map((text) => `return 200 "R|${text}";`),
  template.map((text) => `return 403 "F|${text}";`),
  fc
    .tuple(pick(301, 302, 303, 307, 308), pick('/to$uri', '$scheme://t.test$request_uri', '/$1?$args', 'rel'))
    .map(([status, to]) => `return ${status} "${to}";`),
  pick(
    'return 404;',
    'return 403;',
    'return 444;',
    'return 408;',
    'return 499;',
    'return 495;',
    'return 204 "N|$uri";',
    'return 499 "G|$uri";',
    'return 500;',
    'return 204;',
    'return "http://u.test/$v1";',
    'return 410;',
    'return 200;',
  ),
)
const inIf = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(set, maybe(set, 2)).map((parts) => parts.join(' ')) },
  { weight: 2, arbitrary: rewrite },
  { weight: 2, arbitrary: returning },
  { weight: 1, arbitrary: fc.constant('break;') },
)
export const ifInServer = fc.tuple(condition, inIf).map(([when, body]) => `if (${when}) { ${body} }`)
export const ifInLocation = fc
  .tuple(
    condition,
    maybe(inIf, 4),
    maybe(
      pick(
        'add_header X-R2 "i$uri";',
        'add_header X-R1 in always;',
        'root {ROOT}/alt;',
        'error_page 404 /e404.html;',
        'proxy_pass http://{BACKEND};',
        'proxy_pass http://up;',
      ),
      2,
    ),
  )
  .map(([when, body, setting]) => `if (${when}) { ${body} ${setting} }`)
export const rule = (block: fc.Arbitrary<string>) =>
  fc.oneof(
    { weight: 3, arbitrary: set },
    { weight: 3, arbitrary: rewrite },
    { weight: 3, arbitrary: block },
    { weight: 1, arbitrary: returning },
    { weight: 1, arbitrary: fc.constant('break;') },
  )
