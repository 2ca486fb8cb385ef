import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Directive, parse } from './parse.ts'
import { print } from './print.ts'
import { quote } from './quote.ts'

function directives(text: string): Directive[] {
  const parsed = parse(text)
  if (!parsed.ok) throw new Error(`${parsed.message} at ${parsed.line}:${parsed.column}`)
  return parsed.tree.directives
}

function values(text: string): string[] {
  return directives(text)[0]!.args.map(({ value }) => value)
}

const soup = fc.array(
  fc.constantFrom(
    ';',
    '{',
    '}',
    '"',
    "'",
    '\\',
    '$',
    '#',
    ' ',
    '\n',
    '\r',
    '\t',
    'a',
    'listen',
    '${',
    '\u00a0',
    ')',
    'n',
    '\u0000',
    '_by_lua_block',
  ),
  { maxLength: 60 },
)

describe('parse', () => {
  test('what it reads it prints byte by byte', () => {
    fc.assert(
      fc.property(soup, (pieces) => {
        const text = pieces.join('')
        const parsed = parse(text)
        expect(parsed.ok ? print(parsed.tree) : parsed.line > 0 && text).toBe(text)
      }),
      { numRuns: 3000 },
    )
  })

  test('reads back every quoted argument', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), (args) => {
        expect(values(`x ${args.map(quote).join(' ')};`)).toEqual(args)
      }),
      { numRuns: 1000 },
    )
  })

  test('keeps comments, blank lines, CRLF and quotes', () => {
    const text = '# top\r\nuser "www data" ; # after\r\n\r\nhttp{server{listen\t80;}}\n# end'
    const parsed = parse(text)
    expect(parsed.ok && print(parsed.tree)).toBe(text)
    expect(directives(text).map(({ name, line }) => [name, line])).toEqual([
      ['user', 2],
      ['http', 4],
    ])
  })

  test('decodes the escapes that nginx decodes and keeps every other backslash', () => {
    expect(values(String.raw`x "a\"b" 'it\'s' a\;b \d\\d\t. "\$h";`)).toEqual(['a"b', "it's", 'a\\;b', '\\d\\d\t.', '\\$h'])
  })

  test('takes ${ for the start of a variable, in a word too', () => {
    expect(values('log path_${name}x fmt;')).toEqual(['path_${name}x', 'fmt'])
  })

  test('takes quotes and # for text inside a word', () => {
    expect(values(`x a"b a#b it's;`)).toEqual(['a"b', 'a#b', "it's"])
  })

  test('keeps Lua blocks whole, whatever braces their strings and comments hold', () => {
    const lua = ` local s = "}" -- }\n --[[ } ]] local t = { a = [==[ }]] ]==] } `
    const text = `content_by_lua_block {${lua}} next on;`
    expect(directives(text)).toMatchObject([{ name: 'content_by_lua_block', block: { kind: 'lua', source: lua } }, { name: 'next' }])
    const parsed = parse(text)
    expect(parsed.ok && print(parsed.tree)).toBe(text)
  })

  // What lua-nginx-module's own reader takes for the end, tried with it.
  test.each([
    ['" } "', true],
    [String.raw`"a\" }"`, true],
    [String.raw`"a\\" { }`, true],
    ["'}' -- }\n", true],
    ['"\n', true],
    ['" } \n "', false],
    ['"\\\n}"', false],
    ['[[ }\n ]] [=[ ]] } ]=]', true],
    ['--[==[ }\n ]=] } ]==]', true],
    ['--[=x }\n', true],
    ['a[b[[1]] ]', true],
    ['[[ ', false],
    ['-- ', false],
  ])('takes the Lua %j for the whole block: %s', (lua, whole) => {
    const parsed = parse(`x_by_lua_block {${lua}} after;`)
    expect(parsed.ok && parsed.tree.directives.map(({ name }) => name).join(' ')).toBe(whole ? 'x_by_lua_block after' : false)
  })

  test('takes Lua with unclosed quotes in proportion to its length', () => {
    const start = performance.now()
    expect(parse(`x_by_lua_block {${String.raw`"'\"`.repeat(300_000)}`).ok).toBe(false)
    expect(performance.now() - start).toBeLessThan(2000)
  })

  test.each([
    ['a', 'unexpected end of file, expecting ";" or "}"', 1, 2],
    ['a {\n b;', 'unexpected end of file, expecting "}"', 2, 4],
    ['a;\n}', 'unexpected "}"', 2, 1],
    ['a b }', 'unexpected "}"', 1, 5],
    ['a "b"c;', 'unexpected "c"', 1, 6],
    [';', 'unexpected ";"', 1, 1],
    ['{}', 'unexpected "{"', 1, 1],
    ['types {\n a {', 'unexpected "{"', 2, 4],
    ['a "b;', 'unexpected end of file, expecting ";" or "}"', 1, 6],
  ])('refuses %j', (text, message, line, column) => {
    expect(parse(text)).toEqual({ ok: false, message, line, column })
  })

  test('keeps a byte order mark apart', () => {
    const parsed = parse('\uFEFFuser x;')
    expect(parsed.ok && parsed.tree.byteOrderMark).toBe(true)
    expect(parsed.ok && print(parsed.tree)).toBe('\uFEFFuser x;')
  })

  test('takes time in proportion to the text, however deep or long', () => {
    const deep = 'a{'.repeat(50_000) + '}'.repeat(50_000)
    const parsed = parse(deep)
    expect(parsed.ok && print(parsed.tree)).toBe(deep)
    const seconds = (copies: number) => {
      const text = 'server { listen 80; # x\n location / { return 200 "a b"; } }\n'.repeat(copies)
      const start = performance.now()
      expect(parse(text).ok).toBe(true)
      return performance.now() - start
    }
    seconds(1000)
    expect(seconds(20_000)).toBeLessThan(3000)
  })
})
