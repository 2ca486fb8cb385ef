import type { LogBatchWriter, LogEntry } from '../link/batches.ts'

const head = /^(\d{4})\/(\d\d)\/(\d\d) (\d\d):(\d\d):(\d\d) \[([a-z]+)\] (.*)$/s
const longestMessage = 16_384

/** Adds lines of an error log to a batch, and returns how many. One that is no beginning goes on with what the line before said. */
export function addErrorLines(lines: Buffer, batch: LogBatchWriter): number {
  const texts = lines.toString('utf8').split('\n')
  if (texts.at(-1) === '') texts.pop()
  let entry: LogEntry | undefined
  for (const text of texts) {
    const read = readErrorLine(text)
    if (read && entry) batch.add(entry)
    entry = cut(read ?? { ...(entry ?? { time: Date.now(), level: 'error', fields }), message: entry ? `${entry.message}\n${text}` : text })
  }
  if (entry) batch.add(entry)
  return texts.length
}

/** Reads a line of an error log, which nginx writes in local time; undefined for one that goes on with what the line before said. Source: nginx ngx_log.c. */
export function readErrorLine(text: string): LogEntry | undefined {
  const parts = head.exec(text)
  if (!parts) return undefined
  const [year, month, day, hours, minutes, seconds] = parts.slice(1, 7).map(Number) as [number, number, number, number, number, number]
  const time = new Date(year, month - 1, day, hours, minutes, seconds).getTime()
  return { time, level: parts[7]!, message: parts[8]!, fields }
}

const fields = [['log', 'error']] as const

function cut(entry: LogEntry): LogEntry {
  return entry.message.length > longestMessage ? { ...entry, message: entry.message.slice(0, longestMessage) } : entry
}
