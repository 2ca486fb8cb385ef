import { existsSync } from 'node:fs'
import { chmod, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bench, distinctBinaries } from './testing.ts'

const usual = '/usr/lib/nginx/modules'

const modulesOf = (path: string) => path.replace(/\/usr\/sbin\/nginx$/, usual)

/** The binaries whose distribution has streams, as a module of its own. */
export const streamBinaries = distinctBinaries().filter(({ path }) => existsSync(join(modulesOf(path), 'ngx_stream_module.so')))

/** A copy of a binary that looks for modules where those lie that came with it: what is unpacked here was built for another place. */
export async function withItsModules(bench: Bench, path: string): Promise<string> {
  const folder = join(bench.directory, 'm')
  await symlink(modulesOf(path), folder)
  const built = `--modules-path=${usual}`
  const copy = join(bench.directory, 'nginx')
  const bytes = await readFile(path)
  const at = bytes.indexOf(built)
  if (at < 0 || folder.length > usual.length) throw new Error(`${path} cannot be told to look for modules in ${folder}`)
  bytes.write(`--modules-path=${folder}`.padEnd(built.length), at)
  await writeFile(copy, bytes)
  await chmod(copy, 0o755)
  return copy
}
