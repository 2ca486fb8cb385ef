import { readdir, readFile, readlink } from 'node:fs/promises'

export interface ProcessStat {
  pid: number
  parent: number
  /** One letter, "Z" for a zombie. Source: proc(5). */
  state: string
  /** Clock ticks after boot. */
  started: number
}

/** The state of a process, or nothing when there is none. Source: proc_pid_stat(5). */
export async function processStat(pid: number): Promise<ProcessStat | undefined> {
  const text = await readText(`/proc/${pid}/stat`)
  if (text === undefined) return undefined
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { pid, state: fields[0] ?? '', parent: Number(fields[1]), started: Number(fields[19]) }
}

/** Tells whether a process runs. A zombie does not: where pid 1 reaps nobody, signal 0 still reaches it. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await processStat(pid)
  return stat !== undefined && stat.state !== 'Z' && stat.state !== 'X'
}

/** The command line of a process; for nginx, its title. */
export async function commandLine(pid: number): Promise<string> {
  const text = await readText(`/proc/${pid}/cmdline`)
  return (text ?? '').replaceAll('\0', ' ').trim()
}

/** The binary a process runs; " (deleted)" at the end when a package upgrade has replaced it. */
export async function executable(pid: number): Promise<string | undefined> {
  return readlink(`/proc/${pid}/exe`).catch(() => undefined)
}

/** The processes whose parent this is. */
export async function childrenOf(pid: number): Promise<number[]> {
  const listed = await readText(`/proc/${pid}/task/${pid}/children`)
  if (listed !== undefined) return listed.split(' ').filter(Boolean).map(Number)
  const stats = await Promise.all((await allProcesses()).map(processStat))
  return stats.flatMap((stat) => (stat?.parent === pid ? [stat.pid] : []))
}

export async function allProcesses(): Promise<number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
}

/** The inodes of the sockets that a process holds open; empty when we may not look. */
export async function socketInodes(pid: number): Promise<Set<string>> {
  const inodes = new Set<string>()
  const names = await readdir(`/proc/${pid}/fd`).catch(() => [])
  for (const name of names) {
    const target = await readlink(`/proc/${pid}/fd/${name}`).catch(() => '')
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1]
    if (inode !== undefined) inodes.add(inode)
  }
  return inodes
}

/** Seconds since a process started, by the kernel's own clock. */
export async function uptimeOf(pid: number): Promise<number> {
  const [stat, uptime] = await Promise.all([processStat(pid), readText('/proc/uptime')])
  if (!stat || uptime === undefined) return 0
  const ticksPerSecond = 100
  return Math.max(0, Math.floor(Number(uptime.split(' ')[0]) - stat.started / ticksPerSecond))
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined)
}
