import { expect, test } from 'vitest'
import { parseServerNames } from './server-name.ts'

test.each([
  ['example.com www.example.com', ['example.com', 'www.example.com']],
  ['Example.COM', ['example.com']],
  ['*.example.com', ['*.example.com']],
  ['www.example.*', ['www.example.*']],
  ['.example.com', ['.example.com']],
  ['bücher.example', ['xn--bcher-kva.example']],
  ['*.bücher.example', ['*.xn--bcher-kva.example']],
  ['~^www\\d+\\.example\\.com$', ['~^www\\d+\\.example\\.com$']],
  ['localhost _', ['localhost', '_']],
  ['192.0.2.1', ['192.0.2.1']],
])('%s', (text, names) => expect(parseServerNames(text)).toEqual({ ok: true, names }))

test.each([
  '',
  ' ',
  'a..b',
  '-x.com',
  'x-.com',
  '$host',
  'a;b',
  'a:80',
  'a/b',
  'http://x',
  '*',
  '*.',
  '*a.com',
  'w*.example.com',
  'a"b',
  '~',
  '~* x',
  'a a',
  `${'a'.repeat(64)}.com`,
  '{}',
])('"%s" is refused', (text) => expect(parseServerNames(text)).toEqual({ ok: false, message: expect.any(String) }))
