import { expect, test } from 'vitest'
import { literal, quote, template } from './quote.ts'

test.each([
  ['plain.example.com', 'plain.example.com'],
  ['', '""'],
  ['a b', '"a b"'],
  ['a"b', String.raw`"a\"b"`],
  [String.raw`^/\d{3}$`, String.raw`"^/\d{3}$"`],
  [String.raw`\n`, String.raw`"\\n"`],
  ['\n', String.raw`"\n"`],
  ['ends\\', String.raw`"ends\\"`],
  ['#', '"#"'],
  ["it's", `"it's"`],
  ['é', '"é"'],
])('quote(%j)', (text, written) => {
  expect(quote(text)).toBe(written)
})

test('a template keeps variables, and dollars that begin none are dollars', () => {
  expect(template('$host and 5$ ${uri} $')).toBe('"$host and 5${nxmesh_dollar} ${uri} ${nxmesh_dollar}"')
})

test('literal text expands nothing', () => {
  expect(literal('$host')).toBe('"${nxmesh_dollar}host"')
})
