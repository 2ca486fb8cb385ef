import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { NginxFacts } from '@nxmesh/nginx/facts'
import { type DataPaths, replaceFile } from './durable.ts'

/** Tells this machine from another, also after a restart; where the system has no id of its own, one is kept with our data. */
export async function machineId(paths: DataPaths): Promise<string> {
  const system = (await readText('/etc/machine-id')).trim()
  if (/^[0-9a-f]{32}$/.test(system)) return system
  const path = join(paths.data, 'machine-id')
  const kept = (await readText(path)).trim()
  if (kept !== '') return kept
  const fresh = randomUUID().replaceAll('-', '')
  await replaceFile(path, `${fresh}\n`)
  return fresh
}

export async function bootId(): Promise<string> {
  return (await readText('/proc/sys/kernel/random/boot_id')).trim()
}

/** How the agent is deployed, as far as its surroundings tell. */
export function detectDeploymentMode(env: NodeJS.ProcessEnv): 'docker_sidecar' | 'kubernetes_sidecar' | 'standalone' {
  if (env['KUBERNETES_SERVICE_HOST']) return 'kubernetes_sidecar'
  return existsSync('/.dockerenv') ? 'docker_sidecar' : 'standalone'
}

/** What this nginx can do, in the words of the API. */
export function capabilitiesOf({ supports, configure_arguments }: NginxFacts): string[] {
  const stream = configure_arguments.some((argument) => /^--with-stream(=dynamic)?$/.test(argument))
  return [
    ...(supports.ssl ? ['ssl'] : []),
    ...(supports.http2 ? ['http2'] : []),
    ...(supports.http3 ? ['http3'] : []),
    'websocket',
    ...(stream ? ['stream'] : []),
  ]
}

async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}
