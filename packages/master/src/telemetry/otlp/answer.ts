import { WireReader } from '../../link/wire.ts'

/** What a receiver said, or that it said nothing. */
export type Answer =
  | { kind: 'answered'; status: number; retryAfter: string | undefined; contentType: string; body: Buffer }
  | { kind: 'unanswered'; reason: string }

/** What becomes of a request. */
export type Verdict =
  | { kind: 'accepted'; rejected: number; reason: string }
  /** It is sent again, if the receiver said so not before so many milliseconds. */
  | { kind: 'later'; reason: string; after: number | undefined }
  /** Fewer rows may be taken. */
  | { kind: 'too-large'; reason: string }
  | { kind: 'refused'; reason: string }

// The specification says what to send again; the others say nothing about the rows, but that the address or the credentials are wrong.
const retryable = new Set([429, 502, 503, 504])
const misconfigured = new Set([401, 403, 404])
const longestReason = 200
const longestWait = 3_600_000

/** Source: opentelemetry.io/docs/specs/otlp, OTLP/HTTP response. */
export function judge(answer: Answer, now: number): Verdict {
  if (answer.kind === 'unanswered') return { kind: 'later', reason: readable(answer.reason), after: undefined }
  const { status, retryAfter, contentType, body } = answer
  if (status >= 200 && status < 300) return { kind: 'accepted', ...partialSuccess(contentType, body) }
  const reason = readable(`${status} ${messageOf(contentType, body)}`)
  if (retryable.has(status)) return { kind: 'later', reason, after: waitOf(retryAfter, now) }
  if (misconfigured.has(status) || (status >= 300 && status < 400)) return { kind: 'later', reason, after: undefined }
  return { kind: status === 413 ? 'too-large' : 'refused', reason }
}

function waitOf(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined
  const milliseconds = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isNaN(milliseconds) ? undefined : Math.min(Math.max(milliseconds, 0), longestWait)
}

// ExportLogsServiceResponse and ExportMetricsServiceResponse are the same on the wire; in JSON they differ by a name.
function partialSuccess(contentType: string, body: Buffer): { rejected: number; reason: string } {
  try {
    if (isJson(contentType)) {
      const { partialSuccess: partial = {} } = JSON.parse(body.toString()) as { partialSuccess?: Record<string, string | number> }
      const rejected = Number(partial['rejectedLogRecords'] ?? partial['rejectedDataPoints'] ?? 0)
      return { rejected: Number.isSafeInteger(rejected) ? rejected : 0, reason: readable(String(partial['errorMessage'] ?? '')) }
    }
    const { integer = 0, text = '' } = fieldsOf(fieldsOf(body, 1, 1).bytes ?? Buffer.alloc(0), 1, 2)
    return { rejected: integer, reason: readable(text) }
  } catch {
    // It took them; what else it wished to say cannot be read.
    return { rejected: 0, reason: '' }
  }
}

// A refusal is a google.rpc.Status.
function messageOf(contentType: string, body: Buffer): string {
  try {
    if (isJson(contentType)) return String((JSON.parse(body.toString()) as { message?: string }).message ?? '')
    if (contentType.startsWith('application/x-protobuf')) return fieldsOf(body, 1, 2).text ?? ''
  } catch {
    return ''
  }
  return contentType.startsWith('text/plain') ? body.toString() : ''
}

function fieldsOf(bytes: Uint8Array, integerField: number, textField: number) {
  const reader = new WireReader(bytes)
  const found: { integer?: number; text?: string; bytes?: Uint8Array } = {}
  while (reader.next()) {
    if (reader.field === integerField && reader.type === 0) found.integer = reader.varint()
    else if (reader.type === 2) {
      const end = reader.span()
      const part = reader.bytes.subarray(reader.at, end)
      if (reader.field === textField) found.text = part.toString('utf8')
      if (reader.field === 1) found.bytes = part
      reader.at = end
    } else reader.skip()
  }
  return found
}

const isJson = (contentType: string) => contentType.startsWith('application/json')

/** Words of somebody else, fit for a line of a log. */
function readable(text: string): string {
  const line = text.replace(/[\p{C}\s]+/gu, ' ').trim()
  return line.length > longestReason ? `${line.slice(0, longestReason)}…` : line
}
