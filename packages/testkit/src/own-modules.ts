import { existsSync } from 'node:fs'
import { chmod, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const usual = '/usr/lib/nginx/modules'

const modulesOf = (binary: string) => binary.replace(/\/usr\/sbin\/nginx$/, usual)

/** Whether a module came with a binary of a distribution. */
export function hasModule(binary: string, file: string): boolean {
  return existsSync(join(modulesOf(binary), file))
}

/** A copy of a binary that looks for modules where those lie that came with it: what is unpacked here was built for another place. */
export async function withOwnModules(binary: string, directory: string): Promise<string> {
  const folder = join(directory, 'm')
  await symlink(modulesOf(binary), folder)
  const built = `--modules-path=${usual}`
  const copy = join(directory, 'nginx')
  const bytes = await readFile(binary)
  const at = bytes.indexOf(built)
  if (at < 0 || folder.length > usual.length) throw new Error(`${binary} cannot be told to look for modules in ${folder}`)
  bytes.write(`--modules-path=${folder}`.padEnd(built.length), at)
  await writeFile(copy, bytes)
  await chmod(copy, 0o755)
  return copy
}
