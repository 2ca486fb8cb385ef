import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readSources } from '../src/import/includes.ts'
import type { SourceDirective } from '../src/import/source.ts'
import { usualFile } from '../src/import/usual-files.ts'
import { binaries } from './support/nginx-versions.ts'

const said = (directives: readonly SourceDirective[]) => directives.map(({ name, args }) => [name, ...args].join(' ')).sort()
const isHost = (line: string) => / (HTTP_HOST|Host) /.test(line)
const folders = binaries
  .map(({ path }) => path.replace(/\/usr\/sbin\/nginx$/, '/etc/nginx'))
  .filter((folder) => existsSync(`${folder}/fastcgi_params`))
const names = ['fastcgi_params', 'fastcgi.conf', 'uwsgi_params', 'scgi_params', 'proxy_params', 'snippets/fastcgi-php.conf']

test.runIf(folders.length > 0).each(folders.flatMap((folder) => names.map((name) => [folder, name] as const)))(
  'what stands in for %s/%s is what the package brings',
  (folder, name) => {
    const main = ['nginx.conf', `include ${name};`] as const
    const files = new Map([main, ...['fastcgi.conf', name].map((each) => [each, readFileSync(`${folder}/${each}`, 'utf8')] as const)])
    // Which host is sent on differs from release to release.
    const brought = said(readSources(files, 'nginx.conf').directives).filter((line) => !isHost(line))
    expect(said(readSources(new Map([main]), 'nginx.conf', usualFile).directives).filter((line) => !isHost(line))).toEqual(brought)
  },
)

test('a file of such a name that is somebody’s own is nobody’s to guess', () => {
  for (const path of [
    '/etc/nginx/app/fastcgi_params',
    '/srv/proxy_params',
    '/etc/nginx/constructor',
    '/etc/nginx/mime.types',
    'fastcgi_params',
  ])
    expect(usualFile(path), path).toBeUndefined()
  expect(usualFile('/usr/local/nginx/conf/fastcgi.conf')?.text).toContain('SCRIPT_FILENAME')
})
