import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type NginxFacts, parseVersion } from '../../src/facts.ts'

export interface NginxBinary {
  path: string
  facts: NginxFacts
}

const brought = fileURLToPath(new URL('../../../../.nginx', import.meta.url))

/** Every nginx that this machine has, one per version: those that the project's script brought and the system's own. */
export const binaries: readonly NginxBinary[] = findBinaries()

// Where the packages that the project's script unpacks lie, and the system's own.
function withModules(path: string, facts: NginxFacts): NginxFacts {
  const fileOf = (name: string) => join(path.replace(/\/usr\/sbin\/nginx$/, ''), facts.modules_path, `ngx_${name}_module.so`)
  const names = (['stream', 'mail'] as const).filter((name) => !facts.supports[name] && existsSync(fileOf(name)))
  const modules = Object.fromEntries(names.map((name) => [name, [fileOf(name)]]))
  const supports = { ...facts.supports, ...Object.fromEntries(names.map((name) => [name, true])) }
  if (!modules['stream']) return { ...facts, supports, modules }
  // Debian's module has TLS in every release, real-ip where nginx itself is built with it.
  const stream_realip = facts.configure_arguments.includes('--with-stream_realip_module')
  return { ...facts, supports: { ...supports, stream_ssl: true, stream_realip }, modules }
}

function findBinaries(): NginxBinary[] {
  const labels = existsSync(brought) ? readdirSync(brought).sort() : []
  const paths = [...labels.map((label) => `${brought}/${label}/usr/sbin/nginx`), '/usr/sbin/nginx'].filter((path) => existsSync(path))
  const found = new Map<string, NginxBinary>()
  for (const path of paths) {
    const facts = parseVersion(spawnSync(path, ['-V'], { encoding: 'utf8' }).stderr)
    if (facts && !found.has(facts.version)) found.set(facts.version, { path, facts: withModules(path, facts) })
  }
  if (found.size === 0) throw new Error('these tests need an nginx: /usr/sbin/nginx')
  return [...found.values()]
}
