import { readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dataPaths } from '@nxmesh/agent/durable'
import { until } from './until.ts'

const own = new URL('../../../.nginx/', import.meta.url).pathname

/** The nginx binaries that tests run with: every release brought beside the tree, or else the one of this machine. */
export function nginxBinaries(): string[] {
  const labels = readdirSync(own, { withFileTypes: true }).filter((entry) => entry.isDirectory() && /^\d/.test(entry.name))
  const found = labels.map((entry) => join(own, entry.name, 'usr/sbin/nginx'))
  return found.length > 0 ? found : [nginxBinary()]
}

/** The nginx of this machine. */
export function nginxBinary(): string {
  return process.env['NXMESH_NGINX'] ?? '/usr/sbin/nginx'
}

/** The process id of the nginx master that an agent's data directory names, if it runs. */
export async function nginxPid(dataDir: string): Promise<number | undefined> {
  const pid = Number(await readFile(dataPaths(dataDir).pid, 'utf8').catch(() => ''))
  return pid > 0 && (await runs(pid)) ? pid : undefined
}

/** Ends the nginx of an agent's data directory and waits until it is gone. */
export async function killNginx(dataDir: string): Promise<void> {
  const pid = await nginxPid(dataDir)
  if (pid === undefined) return
  process.kill(pid, 'SIGTERM')
  await until('nginx to end', async () => !(await runs(pid)))
}

/** Tells whether a process runs; one that only waits to be reaped does not. */
export async function runs(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat !== '' && !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
}
