import { routes } from '@nxmesh/api/routes'
import { logRowCells } from '@nxmesh/proto/log-rows'
import { startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { line, newTelemetryAgent, type TelemetryAgent } from './telemetry-agent.ts'

const taken = { success: true, errorMessage: '' }
const window = { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' }
const begun = Date.parse(window.from)

let stack: AsyncDisposableStack
let mesh: TestMaster
let agent: TelemetryAgent

beforeAll(async () => {
  await using opening = new AsyncDisposableStack()
  mesh = opening.use(await startTestMaster(opening.use(await scratch()).path))
  const { client, workspaceId, master } = mesh
  const place = { client, workspaceId, port: master.agents.port, caPem: master.ctx.authority.caPem }
  agent = opening.use(await newTelemetryAgent(place, 'rows'))
  stack = opening.move()
})

afterAll(() => stack.disposeAsync())

/** A row as an agent writes it, of the texts of its cells. */
function rowOf(time: number | string, fields: Record<string, string>): string {
  const cells = logRowCells.map((name) => (name === 'timestamp' ? String(time) : JSON.stringify(fields[name] ?? '').slice(1, -1)))
  return `${cells.join('\t')}\n`
}

const send = (...rows: string[]) => agent.logs({ rows: Buffer.from(rows.join('')) })
const list = async (host: string) => {
  const query = { ...window, host, limit: '1000' } as never
  const { data } = await mesh.client.call(routes.listAccessLogs, { params: { workspace_id: mesh.workspaceId }, query })
  return data.map(({ id: _id, ...entry }) => entry)
}

const text = fc.string({
  unit: fc.oneof(
    { arbitrary: fc.constantFrom('"', '\\', '\t', '\n', "'", ',', 'a'), weight: 1 },
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
  ),
  maxLength: 30,
})
const whole = fc.nat().map(String)

test('rows are stored as the entries with the same fields are', async () => {
  const { fields: names } = line(begun)
  const some = text.filter((value) => value !== '' && !value.includes('\0'))
  const values = fc.record(
    {
      ...Object.fromEntries(Object.keys(names).map((name) => [name, some])),
      method: some,
      uri: some,
      protocol: some,
      virtual_host: fc.uuid(),
      status: fc.integer({ min: 100, max: 599 }).map(String),
      body_bytes_sent: whole,
      request_bytes: whole,
      bytes_sent: whole,
      response_time_ms: whole,
    },
    { requiredKeys: ['status', 'method', 'uri', 'protocol'] },
  )
  const all = fc.sample(values, 500) as Record<string, string>[]
  const entries = all.map((fields, index) => ({
    timestamp: BigInt(begun + index),
    level: 'access',
    message: '',
    fields: { ...fields, host: 'as-entries' },
  }))
  expect(await agent.logs({ entries })).toMatchObject(taken)
  expect(await send(...all.map((fields, index) => rowOf(begun + index, { ...fields, host: 'as-rows' })))).toMatchObject(taken)
  const [asRows, asEntries] = [await list('as-rows'), await list('as-entries')]
  expect(asRows).toHaveLength(500)
  expect(asRows.map((entry) => ({ ...entry, host: '' }))).toEqual(asEntries.map((entry) => ({ ...entry, host: '' })))
})

test('a number that is none is left out, and the row is kept', async () => {
  const numbers = { status: '5xx', body_bytes_sent: '-1', request_bytes: '9'.repeat(30), response_time_ms: '1.5' }
  expect(await send(rowOf(begun, { host: 'numbers', uri: '/kept', ...numbers }))).toMatchObject(taken)
  expect(await list('numbers')).toMatchObject([
    { uri: '/kept', status: null, body_bytes_sent: null, request_bytes: null, response_time_ms: 1.5 },
  ])
})

test('what is no JSON inside is kept as it stands, and what is too long is cut', async () => {
  const row = rowOf(begun, { host: 'odd', uri: 'URI', user_agent: 'AGENT' }).replace('URI', '/\\x"').replace('AGENT', 'a'.repeat(10_000))
  expect(await send(row)).toMatchObject(taken)
  expect(await list('odd')).toMatchObject([{ uri: '/\\x"', user_agent: 'a'.repeat(8192) }])
})

test('bytes that are no UTF-8 spoil neither their row nor another', async () => {
  const [before = '', after = ''] = rowOf(begun, { host: 'bytes', uri: 'HERE' }).split('HERE')
  const rows = Buffer.concat([
    Buffer.from(`${before}/`),
    Buffer.from([0xff, 0xc3]),
    Buffer.from(after),
    Buffer.from(rowOf(begun + 1, { host: 'bytes' })),
  ])
  expect(await agent.logs({ rows })).toMatchObject(taken)
  expect((await list('bytes')).map(({ uri }) => uri)).toEqual([null, '/\uFFFD\uFFFD'])
})

test.each([
  ['too few cells', `${begun}\tx\n`, 'rows.1 must have 17 cells'],
  ['too many', `${rowOf(begun, {}).slice(0, -1)}\t\n`, 'rows.1 must have 17 cells'],
  ['no time', rowOf('yesterday', {}), 'rows.1 must begin with milliseconds since the epoch'],
  ['an empty time', rowOf('', {}), 'rows.1 must begin with milliseconds since the epoch'],
  ['a time that no date can hold', rowOf('9'.repeat(14), {}), 'rows.1 must begin with milliseconds since the epoch'],
  ['no end', rowOf(begun, {}).slice(0, -1), 'rows.1 must end with a line feed'],
  ['a control character', rowOf(begun, { uri: 'X' }).replace('X', '\r'), 'rows.1 must hold no control characters'],
])('a batch with %s is refused with its place, whole', async (_what, row, reason) => {
  const answer = await send(rowOf(begun, { host: 'refused' }), row)
  expect(answer).toMatchObject({ success: false, errorMessage: reason })
  expect(await list('refused')).toEqual([])
})
