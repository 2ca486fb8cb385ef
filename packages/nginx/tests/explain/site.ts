import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const files = [
  'index.html',
  'a/index.html',
  'a/b',
  'a.b',
  'ab',
  'app/x',
  'app/index.html',
  'x.php',
  'e404.html',
  'a b',
  'alt/index.html',
  'alt/a',
  'alt/b',
  'alt/app/x',
  'a.test/index.html',
  'a.test/a',
  'b/b',
  'AB',
]
const folders = ['i', 'a', 'app', 'alt', 'alt/app', 'a.test', 'b', 'err']

/** Writes the files that generated configurations serve; each holds its own path. Returns what is there, as explain is told it. */
export function writeSite(root: string): (path: string) => 'file' | 'directory' | 'none' {
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true })
  for (const file of files) writeFileSync(join(root, file), `FILE ${root}/${file}`)
  const [isFile, isFolder] = [
    new Set(files.map((file) => `${root}/${file}`)),
    new Set([root, ...folders.map((folder) => `${root}/${folder}`)]),
  ]
  return (path) => {
    const bare = path.replace(/\/{2,}/g, '/').replace(/\/\.(?=\/|$)/g, '')
    if (isFolder.has(bare.replace(/\/$/, ''))) return 'directory'
    return isFile.has(bare) ? 'file' : 'none'
  }
}
