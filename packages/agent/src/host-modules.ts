import { dirname, resolve } from 'node:path'
import type { NginxFacts } from '@nxmesh/nginx/facts'
import { parse } from '@nxmesh/nginx/parse'
import { filesOf, readRegular } from './config-files.ts'

/** The files of the modules that the host's own nginx.conf loads, in its order; none where it cannot be read. Only what stands outside of all blocks is looked at. */
export async function hostModules(conf: string, { prefix }: Pick<NginxFacts, 'prefix'>): Promise<string[]> {
  const files: string[] = []
  const visit = async (path: string, depth: number): Promise<void> => {
    const reading = await readRegular(path, mostBytes)
    const parsed = reading.kind === 'text' ? parse(reading.text) : undefined
    for (const { name, args } of parsed?.ok ? parsed.tree.directives : []) {
      const [argument] = args
      if (argument === undefined) continue
      if (name === 'load_module') files.push(resolve(prefix, argument.value))
      if (name !== 'include' || depth === deepest) continue
      for (const included of await filesOf(resolve(dirname(conf), argument.value))) await visit(included, depth + 1)
    }
  }
  await visit(conf, 0)
  return files
}

const mostBytes = 8_000_000
// Files that include each other are no configuration.
const deepest = 20
