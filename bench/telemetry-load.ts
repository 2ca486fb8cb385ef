import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { create, toBinary } from '@bufbuild/protobuf'
import { AgentMessageSchema, LogBatchSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { logRowCells } from '@nxmesh/proto/log-rows'
import type { connectTelemetryAgent } from '../packages/master/tests/telemetry-agent.ts'

export const perBatch = 1000
export const unacknowledged = 32
export const mostEntries = 200_000
const blocksAtMost = 200
const day = 86_400_000
export const end = Date.now()
export const begin = end - day

/** A line of an access log; so many of them are spread over the day before now. */
export function lineAt(index: number) {
  const failed = index % 500 === 0
  const fields = {
    remote_addr: `10.${index % 7}.${index % 251}.${index % 199}`,
    method: index % 10 === 0 ? 'POST' : 'GET',
    uri: `/api/v1/things/${(index * 7919) % 5000}?page=${index % 97}`,
    protocol: 'HTTP/1.1',
    host: `site-${index % 20}.example.com`,
    status: failed ? (index % 1000 === 0 ? '500' : '502') : index % 20 === 0 ? '404' : '200',
    body_bytes_sent: String(200 + (index % 40_000)),
    response_time_ms: String(1 + ((index * 31) % 400)),
    user_agent: `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.${index % 200} (KHTML, like Gecko) Chrome/1${index % 90}.0.0.0 Safari/537.36`,
    referer: 'https://example.com/',
    request_id: ((index * 2_654_435_761) % 2 ** 32).toString(16).padStart(32, '0'),
    virtual_host: `880e8400-e29b-41d4-a716-4466554400${String(index % 20).padStart(2, '0')}`,
    upstream_addr: `10.0.1.${index % 8}:8080`,
    upstream_status: failed ? '502' : '200',
    request_bytes: String(300 + (index % 200)),
    bytes_sent: String(500 + (index % 40_000)),
  }
  const timestamp = BigInt(begin + Math.floor((index / mostEntries) * day))
  return { timestamp, level: 'access', message: `${fields.method} ${fields.uri} ${fields.protocol}`, fields }
}

// Batches are encoded beforehand, so that an agent's own work is little of what is measured: blocks that come over and over, as rows with
// other times.
export function framesOf(agentId: string, form: 'entries' | 'rows', count: number): (batch: number) => Buffer {
  const now = BigInt(Date.now()) * 1000n
  const blocks = Array.from({ length: Math.min(blocksAtMost, count / perBatch) }, (_, block) => {
    const entries = Array.from({ length: perBatch }, (_line, index) => lineAt(block * perBatch + index))
    return form === 'entries' ? toBinary(LogBatchSchema, create(LogBatchSchema, { entries })) : rowsOf(entries)
  })
  return (batch) => {
    const block = Buffer.from(blocks[batch % blocks.length]!)
    if (form === 'rows') setTimes(block, begin + (batch / (count / perBatch)) * day, day / count)
    const rows = form === 'rows' ? { rows: block } : {}
    const rest = toBinary(LogBatchSchema, create(LogBatchSchema, { ...rows, spool: form, sequence: BigInt(batch + 1) }))
    const logs = form === 'rows' ? rest : Buffer.concat([block, rest])
    const head = toBinary(AgentMessageSchema, create(AgentMessageSchema, { agentId, timestamp: now + BigInt(batch) }))
    return Buffer.concat([head, Buffer.from([0x3a, ...varint(logs.length)]), logs])
  }
}

// Each row begins with thirteen digits.
function setTimes(rows: Buffer, from: number, step: number) {
  for (let [at, index] = [0, 0]; at < rows.length; at = rows.indexOf(0x0a, at) + 1, index++) {
    rows.write(String(Math.floor(from + index * step)), at, 'latin1')
  }
}

function rowsOf(entries: ReturnType<typeof lineAt>[]): Buffer {
  const rows = entries.map(({ timestamp, fields }) => {
    const named: Record<string, string> = { ...fields, timestamp: String(timestamp) }
    return logRowCells.map((name) => named[name]).join('\t')
  })
  return Buffer.from(`${rows.join('\n')}\n`)
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]
}

/** Sends so many batches, with a few of them unacknowledged at any time. */
export async function sendAll(
  { sendRaw, received }: Awaited<ReturnType<typeof connectTelemetryAgent>>['stream'],
  frameOf: (batch: number) => Buffer,
  count: number,
) {
  received.length = 0
  let sent = 0
  for (;;) {
    const acks = received
      .filter((payload) => payload.case === 'ack')
      .map(({ value }) => value as { success: boolean; errorMessage: string })
    const refused = acks.find(({ success }) => !success)
    if (refused) throw new Error(refused.errorMessage)
    if (acks.length === count) return
    while (sent < count && sent - acks.length < unacknowledged) sendRaw(frameOf(sent++))
    await delay(2)
  }
}

/** The process of a master's telemetry store. */
export async function childOf(pid: number): Promise<number> {
  const [child] = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')
  return Number(child)
}
