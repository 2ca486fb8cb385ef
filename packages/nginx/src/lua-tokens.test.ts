import fc from 'fast-check'
import { expect, test } from 'vitest'
import { luaTokens } from './lua-tokens.ts'

const texts = (source: string) => luaTokens(source).map(({ kind, text }) => (kind === 'string' ? `"${text}"` : text))

test.each([
  ['local a = ngx.var.arg_a', ['local', 'a', '=', 'ngx', '.', 'var', '.', 'arg_a']],
  [String.raw`f("a\"b\n\65\x41", 'c"')`, ['f', '(', '"a"b\nAA"', ',', '"c""', ')']],
  ['a -- os.execute("x")\nb --[[ c\n ]] d --[==[ ]] ]==] e', ['a', 'b', 'd', 'e']],
  ['[[\nlong "text" ]] [=[ ]] ]=]', ['"long "text" "', '" ]] "']],
  ['1 .. 2.5 ..x 0xff ... a[b]', ['1', '..', '2.5', '..', 'x', '0xff', '...', 'a', '[', 'b', ']']],
  ['a==b~=c::d "no end', ['a', '==', 'b', '~=', 'c', '::', 'd', '"no end"']],
  ['--[[ never ends os.execute()', []],
])('%s', (source, expected) => {
  expect(texts(source)).toEqual(expected)
})

test('any text gives tokens, and nothing in it is lost but spaces, comments and quotes', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', ' ', '-', '[', ']', '=', '"', "'", '\\', '\n', '.', '1', 'é') }), (source) => {
      const written = luaTokens(source).map(({ text }) => text)
      const isPlain = !/--|["'[\\]/.test(source)
      expect(isPlain ? written.join('') : '').toBe(isPlain ? source.replace(/\s/g, '') : '')
    }),
  )
})
