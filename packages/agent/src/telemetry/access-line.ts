import { type AccessLogField, accessLogFields } from '@nxmesh/nginx/access-log'
import type { LogEntry } from '../link/batches.ts'

type Line = Partial<Record<AccessLogField, string>>

/** What is counted of a request. */
export interface Request {
  virtual_host: string
  status_class: string
  request_bytes: number
  response_bytes: number
  seconds: number
}

export interface AccessLine {
  entry: LogEntry
  /** Absent where the line tells nothing that could be counted. */
  request: Request | undefined
}

// What goes out under another name, or as something else.
const reworked: ReadonlySet<AccessLogField> = new Set(['msec', 'request_time', 'upstream_response_time'])
const sent = accessLogFields.map(([name]) => name).filter((name) => !reworked.has(name))

/** Reads a line of the access log that our config has nginx write. One that is not of that kind is passed on as it is. */
export function readAccessLine(text: string, now: number): AccessLine {
  const line = parse(text)
  if (!line) return { entry: { time: now, level: 'access', message: text, fields: [] }, request: undefined }
  const time = Math.round(Number(line.msec) * 1000)
  const seconds = numberOf(line.request_time)
  const fields: [string, string][] = []
  for (const name of sent) {
    const value = line[name]
    if (value !== undefined && value !== '' && value !== '-') fields.push([name, value])
  }
  if (seconds !== undefined) fields.push(['response_time_ms', String(Math.round(seconds * 1000))])
  const entry = {
    time: time > 0 ? time : now,
    level: 'access',
    message: `${line.method ?? ''} ${line.uri ?? ''} ${line.protocol ?? ''}`,
    fields,
  }
  const first = line.status?.[0]
  if (first === undefined) return { entry, request: undefined }
  return {
    entry,
    request: {
      virtual_host: line.virtual_host ?? '',
      status_class: `${first}xx`,
      request_bytes: numberOf(line.request_bytes) ?? 0,
      response_bytes: numberOf(line.bytes_sent) ?? 0,
      seconds: seconds ?? 0,
    },
  }
}

function parse(text: string): Line | undefined {
  try {
    const line: unknown = JSON.parse(text)
    return typeof line === 'object' && line !== null && 'msec' in line ? (line as Line) : undefined
  } catch {
    return undefined
  }
}

function numberOf(text: string | undefined): number | undefined {
  const number = text === undefined || text === '' ? Number.NaN : Number(text)
  return Number.isFinite(number) && number >= 0 ? number : undefined
}
