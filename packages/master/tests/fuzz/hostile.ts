import type { Random } from './random.ts'

/** Text that has broken programs like this one before: other encodings, other languages, other readers. */
export const hostileTexts: readonly string[] = [
  '',
  ' ',
  '\t\n',
  '\u0000',
  'a\u0000b',
  '\u007f',
  '\u2028\u2029',
  '\u202eevil',
  '\ufeffbom',
  'é\u0301\u0301\u0301',
  '😀'.repeat(50),
  '👨‍👩‍👧‍👦',
  'ﷺ',
  '\u{10ffff}',
  'İstanbul ı ß',
  '../../../etc/passwd',
  '..\\..\\windows',
  "' or '1'='1",
  "'; drop table users; --",
  '" } ; server { listen 81; } #',
  '; include /etc/passwd;',
  '${jndi:ldap://127.0.0.1/a}',
  '{{7*7}}',
  '$(id)',
  '`id`',
  '<script>alert(1)</script>',
  'a\r\nSet-Cookie: x=y',
  '%00',
  '%s%n%d',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'NaN',
  '-0',
  '1e1000',
  '0x10',
  'null',
  'true',
  '[object Object]',
  '2026-02-30T25:61:61Z',
  '9'.repeat(400),
  'a'.repeat(10_000),
  '('.repeat(2000),
  `${'a'.repeat(60)}.`.repeat(60),
  '~(a+)+$',
  '*.*.*',
  'xn--a',
  '[::1]:99999',
  'http://[fe80::1%25eth0]/',
  'http://user:pass@127.0.0.1:1/',
]

const wrongValues: readonly ((random: Random) => unknown)[] = [
  () => null,
  () => true,
  () => 0,
  () => -1,
  () => 1.5,
  () => 1e308,
  () => Number.MAX_SAFE_INTEGER + 2,
  () => [],
  () => {},
  () => [[[[[[]]]]]],
  () => ({}),
  () => ({ a: { b: { c: { d: null } } } }),
  () => JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}'),
  (random) => Array.from({ length: random.int(100, 2000) }, () => 'x'),
  (random) => Object.fromEntries(Array.from({ length: random.int(100, 1000) }, (_, index) => [`k${index}`, 'v'])),
  (random) => deep(random.int(5, 80)),
  (random) => random.pick(hostileTexts),
  (random) => random.pick(hostileTexts),
  (random) => random.pick(hostileTexts),
]

function deep(levels: number): unknown {
  let value: unknown = 'bottom'
  for (let level = 0; level < levels; level++) value = level % 2 ? [value] : { in: value }
  return value
}

/** A copy of a JSON value in which one place is wrong: another type, gone, too much, renamed, or unknown. */
export function spoiled(value: unknown, random: Random): unknown {
  if (Array.isArray(value) && value.length > 0 && random.chance(0.8)) {
    const at = random.int(0, value.length - 1)
    return value.map((item, index) => (index === at ? spoiled(item, random) : item))
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const entries = Object.entries(value)
    if (entries.length === 0 || random.chance(0.1)) return { ...value, [random.pick(hostileTexts)]: random.pick(wrongValues)(random) }
    const at = random.int(0, entries.length - 1)
    if (random.chance(0.1)) return Object.fromEntries(entries.filter((_, index) => index !== at))
    return Object.fromEntries(entries.map(([key, member], index) => [key, index === at ? spoiled(member, random) : member]))
  }
  return random.pick(wrongValues)(random)
}

/** The bytes of a JSON text with a fault that no JSON value has. */
export function brokenBytes(text: string, random: Random): Buffer {
  return random.pick([
    () => Buffer.from(text.slice(0, random.int(0, text.length))),
    () => Buffer.from(`${text}${text}`),
    () => Buffer.from(`\ufeff${text}`),
    () => Buffer.from(text, 'utf16le'),
    () => Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0xff, 0xfe, 0xc0, 0x80])]),
    () => Buffer.from(text.replace('"', '"\\ud800')),
    () => Buffer.from(text.replace(/[0-9]+/, '1e999')),
    () => Buffer.from(text.replace('{', '{"name":1,"name":2,')),
    () => Buffer.from(text.replaceAll('"', "'")),
    () => Buffer.from('['.repeat(random.int(10, 100_000))),
    () => Buffer.from(`{"name":"${'x'.repeat(random.int(1000, 300_000))}"}`),
    () => Buffer.from(random.pick(['', 'null', '""', '[]', '0', 'NaN', '{"a":undefined}', '{}//', '\u0000'])),
  ])()
}
