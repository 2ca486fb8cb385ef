import { resolve } from 'node:path'
import type { NginxFacts } from '@nxmesh/nginx/facts'
import { readConfigFiles } from './config-files.ts'

/** The files of the modules that the host's own nginx.conf loads, in its order; none where it cannot be read. */
export async function hostModules(conf: string, { prefix }: Pick<NginxFacts, 'prefix'>): Promise<string[]> {
  const read = await readConfigFiles(conf, '')
  if (!read.ok) return []
  const files: string[] = []
  const visit = (directives: typeof read.main, depth: number) => {
    for (const { name, args } of directives) {
      const [argument] = args
      if (argument === undefined) continue
      if (name === 'load_module') files.push(resolve(prefix, argument.value))
      if (name === 'include' && depth < deepest) for (const included of read.included(argument.value)) visit(included, depth + 1)
    }
  }
  visit(read.main, 0)
  return files
}

// Files that include each other are no configuration.
const deepest = 20
