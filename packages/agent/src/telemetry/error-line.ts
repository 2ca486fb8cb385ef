import type { LogEntry } from '../link/batches.ts'

const head = /^(\d{4})\/(\d\d)\/(\d\d) (\d\d):(\d\d):(\d\d) \[([a-z]+)\] (.*)$/s

/** Reads a line of an error log, which nginx writes in local time; undefined for one that goes on with what the line before said. Source: nginx ngx_log.c. */
export function readErrorLine(text: string): LogEntry | undefined {
  const parts = head.exec(text)
  if (!parts) return undefined
  const [year, month, day, hours, minutes, seconds] = parts.slice(1, 7).map(Number) as [number, number, number, number, number, number]
  const time = new Date(year, month - 1, day, hours, minutes, seconds).getTime()
  return { time, level: parts[7]!, message: parts[8]!, fields: [['log', 'error']] }
}
