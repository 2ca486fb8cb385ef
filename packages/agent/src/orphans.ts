import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { allProcesses, commandLine, isAlive, processStat, socketInodes } from './processes.ts'

// A worker told to quit lets go of its ports at once and finishes its requests afterwards.
const steps = [
  ['SIGQUIT', 3000],
  ['SIGTERM', 2000],
  ['SIGKILL', 2000],
] as const

/**
 * Ends the workers of a master that was killed. They serve its config for ever and hold its ports, so that nothing else can start.
 * They are known by the private socket, on which every worker of ours listens.
 */
export async function endOrphans(socket: string): Promise<void> {
  for (const [signal, timeoutMs] of steps) {
    const orphans = await orphansOf(socket)
    if (orphans.length === 0) return
    for (const pid of orphans) if (await isAlive(pid)) process.kill(pid, signal)
    const deadline = performance.now() + timeoutMs
    while (performance.now() < deadline && (await orphansOf(socket)).length > 0) await delay(20)
  }
}

async function orphansOf(socket: string): Promise<number[]> {
  const inodes = await listeningInodes(socket)
  if (inodes.size === 0) return []
  const orphans: number[] = []
  for (const pid of await allProcesses()) {
    if (!(await commandLine(pid)).startsWith('nginx: worker process')) continue
    const parent = (await processStat(pid))?.parent ?? 0
    if ((await commandLine(parent)).startsWith('nginx: master process')) continue
    if (!inodes.isDisjointFrom(await socketInodes(pid))) orphans.push(pid)
  }
  return orphans
}

/** The inodes of the sockets that were bound to a path. Source: the table of /proc/net/unix in proc(5). */
async function listeningInodes(path: string): Promise<Set<string>> {
  const text = await readFile('/proc/net/unix', 'utf8').catch(() => '')
  const inodes = new Set<string>()
  for (const line of text.split('\n')) {
    if (line.endsWith(` ${path}`)) inodes.add(line.trim().split(/\s+/)[6] ?? '')
  }
  return inodes
}
