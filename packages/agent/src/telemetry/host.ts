import { readFile, statfs } from 'node:fs/promises'

export interface HostUsage {
  /** Of all processors together, since the last question. */
  cpu_percent: number
  memory_used_bytes: number
  memory_total_bytes: number
  disk_used_bytes: number
  disk_total_bytes: number
  load_average_1m: number
}

interface CpuTimes {
  busy: number
  total: number
}

/** Measures the machine; the processor's share is that of the time between two calls. */
export function hostMeter(directory: string): () => Promise<HostUsage> {
  let last: CpuTimes | undefined
  return async () => {
    const [stat, memory, load, disk] = await Promise.all([
      readFile('/proc/stat', 'utf8'),
      readFile('/proc/meminfo', 'utf8'),
      readFile('/proc/loadavg', 'utf8'),
      statfs(directory),
    ])
    const now = cpuTimes(stat)
    const cpu_percent = cpuShare(last, now)
    last = now
    const memory_total_bytes = kilobytes(memory, 'MemTotal')
    return {
      cpu_percent,
      memory_total_bytes,
      memory_used_bytes: Math.max(0, memory_total_bytes - kilobytes(memory, 'MemAvailable')),
      disk_total_bytes: disk.blocks * disk.bsize,
      disk_used_bytes: (disk.blocks - disk.bfree) * disk.bsize,
      load_average_1m: Number(load.split(' ')[0]),
    }
  }
}

/** Source: proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal. */
export function cpuTimes(stat: string): CpuTimes {
  const fields = (/^cpu\s+(.*)$/m.exec(stat)?.[1] ?? '').split(/\s+/).slice(0, 8).map(Number)
  const total = fields.reduce((sum, field) => sum + field, 0)
  const idle = (fields[3] ?? 0) + (fields[4] ?? 0)
  return { total, busy: total - idle }
}

export function cpuShare(before: CpuTimes | undefined, after: CpuTimes): number {
  const total = after.total - (before?.total ?? 0)
  const busy = after.busy - (before?.busy ?? 0)
  return total <= 0 ? 0 : Math.min(100, Math.max(0, (busy / total) * 100))
}

function kilobytes(meminfo: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? 0) * 1024
}
