import { open, stat } from 'node:fs/promises'

export interface LogWatch {
  /** The lines of emergencies and alerts that this master wrote since the watch began. */
  read(): Promise<string[]>
}

/** Follows an error log from its present end, and only what one process writes there. */
export async function watchErrorLog(path: string | undefined, pid: number): Promise<LogWatch> {
  if (path === undefined) return { read: async () => [] }
  let offset = await stat(path).then(
    (found) => found.size,
    () => 0,
  )
  let rest = ''
  const lines: string[] = []
  return {
    async read() {
      const size = await stat(path).then(
        (found) => found.size,
        () => offset,
      )
      if (size < offset) offset = 0
      if (size > offset) {
        const chunk = await readFrom(path, offset, Math.min(size - offset, 1_000_000))
        offset += chunk.length
        const parts = (rest + chunk.toString()).split('\n')
        rest = parts.pop() ?? ''
        lines.push(...parts.filter((line) => isTroubleOf(line, pid)))
      }
      return lines
    },
  }
}

async function readFrom(path: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** `2026/01/31 10:00:00 [emerg] 4711#4711: text`. Source: nginx ngx_log.c. */
function isTroubleOf(line: string, pid: number): boolean {
  const parts = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[(emerg|alert)\] (\d+)#/.exec(line)
  return parts !== null && Number(parts[2]) === pid
}

/** Whether these lines say that the reload was refused. nginx tries an address in use for two and a half seconds before it gives up. */
export function refusalIn(lines: readonly string[]): boolean {
  return lines.some((line) => {
    if (/\[alert\]/.test(line)) return /exited with fatal code|cannot be respawned|fork\(\) failed/.test(line)
    if (line.endsWith('ignored')) return false
    return !/(bind\(\)|listen\(\)) to .* failed \(98:/.test(line)
  })
}
