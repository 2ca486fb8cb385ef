import { chmod, chown, readFile } from 'node:fs/promises'
import { workersOf } from './nginx.ts'
import type { Scope } from './scope.ts'

/** Whether workers read a file by themselves, as they answer: one that its group may read and nobody else. */
export function isForWorkers({ mode }: { mode: number }): boolean {
  return mode % 0o100 === 0o40
}

/**
 * The group that nginx's workers are in, where some file is for them and they are other users than the agent: that of those that run, else
 * the one that a start would give them, which bears the name of their user. Source: nginx core module, "user".
 */
export async function groupFor(
  { installation, workerUser }: Pick<Scope, 'installation' | 'workerUser'>,
  files: readonly { mode: number }[],
): Promise<number | undefined> {
  if (process.getuid?.() !== 0 || !files.some(isForWorkers)) return undefined
  const master = await installation.findMaster()
  const [worker] = master === undefined ? [] : await workersOf(master)
  const status = worker === undefined ? '' : await readFile(`/proc/${worker.pid}/status`, 'utf8').catch(() => '')
  const running = /^Gid:\s+\d+\s+(\d+)/m.exec(status)?.[1]
  if (running !== undefined) return Number(running)
  const groups = (await readFile('/etc/group', 'utf8')).split('\n').map((line) => line.split(':'))
  const gid = groups.find(([name]) => name === workerUser)?.[2]
  return gid === undefined ? undefined : Number(gid)
}

/** Lets a group read a file, and pass through the directories on the way to it. */
export async function openToGroup(file: string, directories: readonly string[], group: number): Promise<void> {
  await chown(file, -1, group)
  for (const directory of directories) {
    await chown(directory, -1, group)
    await chmod(directory, 0o710)
  }
}
