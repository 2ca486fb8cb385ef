import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { splitDump } from '../src/import/dump.ts'
import { readSources } from '../src/import/includes.ts'
import { binaries, type NginxBinary } from './support/nginx-versions.ts'
import { temporaryFolder } from './support/real-nginx.ts'

const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path t_${kind};`).join(' ')
const main = (http: string) => `pid p.pid; error_log stderr; events {}\nhttp { access_log off; ${temporary}\n${http}\n}\n`

/** Writes a tree of files below a folder and lets nginx read and show it. */
function dumpOf({ path, facts }: NginxBinary, folder: string, files: Record<string, string>) {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  const quiet = facts.supports.error_log_option ? ['-e', 'stderr'] : []
  const run = spawnSync(path, ['-T', ...quiet, '-p', folder, '-c', join(folder, 'nginx.conf')], { encoding: 'utf8' })
  return { ok: run.status === 0, shown: run.stdout, output: run.stderr }
}

const inFolder = (folder: string, files: Record<string, string>) =>
  new Map(Object.entries(files).map(([name, text]) => [join(folder, name), text]))

const piece = fc.constantFrom('a', 'b', '1', '10', '-', '.', 'é', 'B', '~', '_', '.conf', ']')
const fileName = fc
  .array(piece, { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join(''))
  .filter((name) => !/^\.{1,2}$/.test(name))
const patternPiece = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('*', '?', '[ab]', '[!a]', '[0-9]', '[a-]', '[]a]', '[-a]', '[^b]', '\\\\a', '[b', '**') },
  { weight: 2, arbitrary: piece },
)
// A pattern that begins with a dot matches the folder above, which nginx cannot read.
const pattern = fc
  .tuple(fc.constantFrom('c/', 'c/../c/', './c//', '*/'), fc.array(patternPiece, { minLength: 1, maxLength: 4 }))
  .filter(([, parts]) => !parts[0]!.startsWith('.'))

describe.each(binaries)('nginx $facts.version', (binary) => {
  test('patterns stand for the files that nginx reads, in its order', () => {
    const cases = fc.tuple(fc.uniqueArray(fileName, { minLength: 3, maxLength: 12 }), fc.array(pattern, { minLength: 1, maxLength: 3 }))
    for (const [names, patterns] of fc.sample(cases, { numRuns: 40, seed: 4 })) {
      using folder = temporaryFolder()
      const files: Record<string, string> = { 'nginx.conf': '' }
      for (const name of names) files[`c/${name}`] = `# ${name}`
      files['nginx.conf'] = main(patterns.map(([lead, parts]) => `include "${lead}${parts.join('')}*";`).join('\n'))
      const { shown, output, ok } = dumpOf(binary, folder.path, files)
      const { read, problems } = readSources(inFolder(folder.path, files), join(folder.path, 'nginx.conf'))
      expect(ok, output).toBe(true)
      expect(problems).toEqual([])
      // nginx shows a file once for each way in which its path is written.
      const order = [...shown.matchAll(/^# configuration file (.*):$/gm)].map(([, path]) => normalize(path!))
      expect(read, files['nginx.conf']).toEqual([...new Set(order)])
      if (new Set(order).size < order.length) continue
      const dump = splitDump(shown)
      expect(dump.ok && [...dump.files]).toEqual(read.map((path) => [path, inFolder(folder.path, files).get(path)]))
    }
  })

  test('an include works in any block, relative to the folder of the main file', () => {
    using folder = temporaryFolder()
    const files = {
      'nginx.conf': main('map $host $m { include x/map; }\nserver { include x/server; }\ntypes { include x/types; }'),
      'x/server': 'listen unix:s.sock;\nlocation / { include x/location; if ($m) { include x/if; } }',
      'x/location': 'root /srv;',
      'x/if': 'return 204;',
      'x/map': 'default 0;',
      'x/types': 'text/html html;',
    }
    const { shown, output } = dumpOf(binary, folder.path, files)
    expect(output).toContain('test is successful')
    const sources = readSources(inFolder(folder.path, files), join(folder.path, 'nginx.conf'))
    expect(sources.problems).toEqual([])
    const dump = splitDump(shown)
    expect(dump.ok && new Set(dump.files.keys())).toEqual(new Set(sources.read))
    const http = sources.directives.find(({ name }) => name === 'http')!.block!
    const location = http.find(({ name }) => name === 'server')!.block!.find(({ name }) => name === 'location')!
    expect(location.block!.map(({ head, file, line }) => [head, file.slice(folder.path.length + 1), line])).toEqual([
      ['root /srv', 'x/location', 1],
      ['if ($m)', 'x/server', 2],
    ])
  })

  test('hazard 31: lines that look like the beginning of a file split nothing', () => {
    using folder = temporaryFolder()
    const line = (name: string) => `# configuration file ${join(folder.path, name)}:\n`
    const files = {
      'nginx.conf': `${line('a')}${line('nginx.conf')}${main(`${line('b')}include c/*;\n${line('c/2')}`)}${line('c/1')}`,
      'c/1': `${line('c/2')}map $host $a { default 1; }\n${line('other')}`,
      'c/2': `map $host $b { ${line('c/1')} default "\n${line('nginx.conf')}"; }`,
    }
    const { shown, output } = dumpOf(binary, folder.path, files)
    expect(output).toContain('test is successful')
    const dump = splitDump(shown)
    expect(dump.ok && dump.files).toEqual(inFolder(folder.path, files))
  })

  test('hazard 98: what nginx cannot include is told with its place', () => {
    const files = {
      'nginx.conf': main('include a.conf;\n  server { include missing.conf; }\n include b.conf c.conf;\n include none/*.conf;'),
      'a.conf': '\nmap $host $x { default 1; }\n include a2.conf;',
      'a2.conf': 'include   a.conf;',
    }
    using folder = temporaryFolder()
    const { problems } = readSources(inFolder(folder.path, files), join(folder.path, 'nginx.conf'))
    expect(problems.map(({ code, file, line, column }) => [code, file.slice(folder.path.length + 1), line, column])).toEqual([
      ['CYCLE', 'a2.conf', 1, 1],
      ['MISSING_FILE', 'nginx.conf', 4, 12],
      ['SYNTAX', 'nginx.conf', 5, 2],
    ])
    expect(dumpOf(binary, folder.path, { ...files, 'a2.conf': '' }).output).toContain('missing.conf" failed (2: No such file')
    expect(dumpOf(binary, folder.path, { 'nginx.conf': main('include none/*.conf;') }).ok).toBe(true)
  })
})

test('files that include each other many times are read to a limit', () => {
  const files = new Map([['/etc/nginx/nginx.conf', 'include l0;']])
  for (let at = 0; at < 40; at++) files.set(`/etc/nginx/l${at}`, `include l${at + 1}; include l${at + 1};`)
  files.set('/etc/nginx/l40', 'a;')
  const start = performance.now()
  expect(readSources(files, '/etc/nginx/nginx.conf').problems.map(({ code }) => code)).toEqual(['TOO_LARGE'])
  expect(performance.now() - start).toBeLessThan(20_000)
})

test.each(['', 'user x;', 'user x;\n# configuration file /a:\n', 'nginx: ok\n'])('%j is no output of nginx -T', (text) => {
  expect(splitDump(text).ok).toBe(false)
})
