import { expect, test } from 'vitest'
import { regexOf } from './regex.ts'

function groups(pattern: string, text: string, caseless = false) {
  const found = regexOf(pattern, caseless).match(text, { left: 1_000_000 })
  return found.kind === 'match' ? found.groups : found.kind
}

test.each([
  ['^/a', '/ab', ['/a']],
  ['\\.(png|jpg)$', '/x.jpg', ['.jpg', 'jpg']],
  ['^/(\\d{2,3})(?:/(.*))?$', '/123', ['/123', '123', undefined]],
  // Where JavaScript differs: groups keep what they took in an earlier turn, "$" stands before a last line break too.
  ['(?:(a)|b)*', 'ab', ['ab', 'a']],
  ['(a*)*', 'aab', ['aa', '']],
  ['a$', 'a\n', ['a']],
  ['(?>a+)ab', 'aab', 'none'],
  ['a++b', 'aab', ['aab']],
  ['(?i:A)b', 'ab', ['ab']],
  ['^(?i)é', 'É', 'none'],
  ['[^]a]+', ']ab]', ['b']],
  ['[[:alpha:]-]+', '1a-b', ['a-b']],
  ['\\Qa.b\\E+', 'xa.bb', ['a.bb']],
  ['(a|ab)(c|bcd)(d*)', 'abcd', ['abcd', 'a', 'bcd', '']],
  ['(.)\\1', 'abb', ['bb', 'b']],
  ['(?<=a|bc)d', 'bcd', ['d']],
  ['x(?!y)', 'xyxz', ['x']],
  ['a{,2}', 'a{,2}', 'unsure'],
  ['\\p{L}', 'a', 'unsure'],
  ['(?R)', 'a', 'unsure'],
])('%s on %j', (pattern, text, expected) => {
  expect(groups(pattern, text)).toEqual(expected)
})

test('cases are those of ASCII', () => {
  expect(groups('^/ÀB', '/Àb', true)).toEqual(['/Àb'])
  expect(groups('^/À', '/à', true)).toBe('none')
})

test('an expression that would search without end is given up soon', () => {
  const from = performance.now()
  expect(groups('^(a+)+$', `${'a'.repeat(5000)}b`)).toBe('unsure')
  expect(groups('(x+x+)+y', 'x'.repeat(5000))).toBe('unsure')
  expect(groups(`${'(a?'.repeat(900)}${')'.repeat(900)}`, 'a'.repeat(900))).toBeDefined()
  const effort = { left: 1000 }
  expect(regexOf('b', false).match('a'.repeat(900), effort).kind).toBe('none')
  expect(regexOf('b', false).match('a'.repeat(900), effort).kind).toBe('unsure')
  expect(performance.now() - from).toBeLessThan(3000)
})
