import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Directive, type Parsed, parse } from '../src/parse.ts'
import { print } from '../src/print.ts'
import { quote } from '../src/quote.ts'
import { binaries, type NginxBinary } from './support/nginx-versions.ts'
import { temporaryFolder, testFile } from './support/real-nginx.ts'

// Everything here is bytes: texts are latin1.

const runs = Number(process.env.NXMESH_SYNTAX_RUNS ?? 25)
const syntaxError =
  /\[emerg\] (?:\d+#\d+: )?(unexpected (?:"[^]"|end of file, expecting [^\n]*?)|too long parameter[^]*?) in \/[^\n]*:(\d+)\n/

/** What nginx says of the syntax of a text: the message and line of a syntax error, or that it got past it. */
function judge(binary: NginxBinary, text: string): { syntax: string | undefined; ok: boolean; output: string } {
  using folder = temporaryFolder()
  const file = join(folder.path, 'test.conf')
  writeFileSync(file, text, 'latin1')
  const { ok, output } = testFile(binary, folder.path, file)
  const refused = syntaxError.exec(output)
  return { ok, output, syntax: refused ? `${refused[1]}:${refused[2]}` : undefined }
}

const saying = (parsed: Parsed) => (parsed.ok ? undefined : `${parsed.message}:${parsed.line}`)
const head = 'pid p.pid; error_log stderr; events {}'
const files = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path t_${kind};`).join(' ')
/** nginx takes any words for media types, and so shows what it thinks of their syntax alone. */
const anyWords = (text: string) => `${head} http { access_log off; ${files} types {\n${text}\n} }\n`

const separator = fc
  .array(fc.constantFrom(' ', '\t', '\n', '\r\n', ' # ; { } " \' \\\n', '#\n'), { minLength: 1, maxLength: 3 })
  .map((parts) => ` ${parts.join('')}`)
const optional = fc.option(separator, { nil: '' })
const byte = fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code))
const word = fc.string({
  unit: fc.oneof(fc.constantFrom('a', 'b', '/', '.', '"', "'", '\\', '$', '${', '{', '}', ';', '#', ' ', '\n', ')', 'n', 't'), byte),
  minLength: 1,
  maxLength: 12,
})
const written = fc.tuple(word, fc.constantFrom(quote, singly))

/** Words as a file would hold them, beside what they mean. */
const statement = fc.tuple(fc.array(fc.tuple(written, separator), { minLength: 1, maxLength: 4 }), optional).map(([words, end]) => ({
  text: `${words.map(([[value, write]], at) => write(value) + (at === words.length - 1 ? '' : words[at]![1])).join('')}${end};`,
  values: words.map(([[value]]) => value),
}))

function singly(value: string): string {
  return `'${quote(`"${value}`).slice(3, -1).replaceAll("'", String.raw`\'`)}'`
}

const noise = fc
  .array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom(';', '{', '}', '"', "'", '\\', '$', '#', ' ', '\n', '\r', 'a', 'b', '${', ')', 'n', '\u0000'),
      },
      { weight: 1, arbitrary: byte },
      { weight: 1, arbitrary: statement.map(({ text }) => text) },
    ),
    { minLength: 1, maxLength: 24 },
  )
  .map((pieces) => pieces.join(''))

describe.each(binaries)('nginx $facts.version', (binary) => {
  const version = binary.facts.version

  test('generated words in any writing are what nginx and the parser read', () => {
    for (const statements of fc.sample(fc.array(statement, { minLength: 1, maxLength: 30 }), { numRuns: runs, seed: 1 })) {
      const plain = statements.filter(({ values }) => values[0] !== 'include')
      const text = anyWords(plain.map(({ text: written }) => written).join('\n'))
      const parsed = parse(text, 'latin1')
      expect(saying(parsed), JSON.stringify(text)).toBeUndefined()
      if (!parsed.ok) return
      expect(print(parsed.tree)).toBe(text)
      expect(typesOf(parsed.tree.directives)?.map(({ name, args }) => [name, ...args.map(({ value }) => value)])).toEqual(
        plain.map(({ values }) => values),
      )
      const verdict = judge(binary, text)
      expect(verdict.syntax, JSON.stringify(text)).toBeUndefined()
    }
  })

  test('of any bytes the parser says what nginx says, on the same line', () => {
    for (const bytes of fc.sample(noise, { numRuns: runs * 3, seed: 2 })) {
      const text = anyWords(bytes)
      const parsed = parse(text, 'latin1')
      if (parsed.ok) {
        expect(print(parsed.tree)).toBe(text)
      }
      const verdict = judge(binary, text)
      const says = `${version} ${JSON.stringify(bytes)}: ${verdict.output}`
      if (parsed.ok) expect(verdict.syntax, says).toBeUndefined()
      // nginx stops at the first thing it does not know, which may stand before the error.
      else if (verdict.syntax !== undefined || verdict.ok) expect(saying(parsed), says).toBe(verdict.syntax)
    }
  })

  test('one byte changed, taken out or put in: both see the same', () => {
    const text = `${head}\nhttp { access_log off; ${files}\n  server { # a "b\n    listen unix:s.sock;\n    location ~ "^/a{2}$" { return 200 'x;y'; }\n    location /b {\n      if ($host = "\\"") { return 204; }\n      types { a/b c d; }\n    }\n  }\n}\n`
    expect(judge(binary, text).output).toContain('test is successful')
    const edits = fc.record({
      at: fc.integer({ min: 0, max: text.length - 1 }),
      gone: fc.constantFrom(0, 1),
      put: fc.option(fc.constantFrom('"', "'", '{', '}', ';', '#', '\\', '$', ' ', '\n', ')'), { nil: '' }),
    })
    for (const { at, gone, put } of fc.sample(edits, { numRuns: runs * 2, seed: 3 })) {
      const edited = text.slice(0, at) + put + text.slice(at + gone)
      const parsed = parse(edited, 'latin1')
      const verdict = judge(binary, edited)
      const says = `${version} ${JSON.stringify(edited)}: ${verdict.output}`
      if (verdict.ok) expect(saying(parsed), says).toBeUndefined()
      else if (verdict.syntax !== undefined) expect(saying(parsed), says).toBe(verdict.syntax)
    }
  })

  test.each([
    ['a word', (size: number, end: string) => `a ${'x'.repeat(size)}${end} b c;`],
    ['a quoted word', (size: number, end: string) => `a "${'x'.repeat(size)}"${end} b c;`],
    ['a word with escapes', (size: number, end: string) => `a ${'\\"'.repeat(size / 2)}${size % 2 === 1 ? 'x' : ''}${end} b c;`],
    ['a comment', (size: number, end: string) => `a b;\n  #${'x'.repeat(size - 1)}${end} \n b c;`],
    ['high bytes', (size: number, end: string) => `a '${'\u00e9'.repeat(size)}'${end} b c;`],
  ])('the length of %s', (_, write) => {
    for (const size of [4090, 4092, 4093, 4094, 4095, 4096, 4097, 9000]) {
      for (const end of [';', ' ;', '\n;', '']) {
        for (const lead of ['', '\n'.repeat(700)]) {
          const text = anyWords(lead + write(size, end))
          const verdict = judge(binary, text)
          expect(saying(parse(text, 'latin1')), `${size} ${JSON.stringify(end)}`).toBe(verdict.syntax)
        }
      }
    }
  })

  test.each([
    ['a word', 'x'],
    ['an open quote', '"x'],
    ['a comment', '#x'],
    ['an escape', '\\'],
    ['a high byte', '\u00e9'],
  ])('the end of the file after %s', (_, lead) => {
    for (const size of [1, 2, 4094, 4095, 4096, 4097, 5000]) {
      for (const aligned of [true, false]) {
        const text = `${aligned ? '' : `${head} `}${lead}${'y'.repeat(size - 1)}`
        const verdict = judge(binary, text)
        if (verdict.syntax === undefined) expect(lead, verdict.output).toBe('#x')
        expect(saying(parse(text, 'latin1')), `${size} ${aligned}: ${verdict.output}`).toBe(verdict.syntax)
      }
    }
  })

  test.each([
    ['a byte order mark', '\u00ef\u00bb\u00bfuser root;', false],
    ['NUL bytes', `${head} http { access_log off; ${files} types { a\u0000b "c\u0000"; } }`, true],
    ['only comments', '# a', false],
    ['old line ends', `${head.replaceAll(' ', '\r')}\rhttp {\raccess_log\roff;\r${files.replaceAll(' ', '\r')}\r}`, true],
  ])('%s: nginx takes it or not, the parser loses nothing', (_, text, accepted) => {
    expect(judge(binary, text).ok).toBe(accepted)
    const parsed = parse(text, 'latin1')
    expect(parsed.ok && print(parsed.tree)).toBe(text)
  })
})

function typesOf(directives: readonly Directive[]): Directive[] | undefined {
  const http = directives.find(({ name }) => name === 'http')
  const types = http?.block?.kind === 'directives' ? http.block.directives.find(({ name }) => name === 'types') : undefined
  return types?.block?.kind === 'directives' ? types.block.directives : undefined
}
