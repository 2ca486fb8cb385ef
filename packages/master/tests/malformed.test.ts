import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { type Scratch, scratch } from '@nxmesh/testkit/scratch'
import { afterAll, beforeAll, expect, test } from 'vitest'

let directory: Scratch
let mesh: TestMaster

beforeAll(async () => {
  directory = await scratch()
  mesh = await startTestMaster(directory.path)
})

afterAll(async () => {
  await mesh[Symbol.asyncDispose]()
  await directory[Symbol.asyncDispose]()
})

/** Sends bytes to the master and reads its one answer. */
async function exchange(bytes: string) {
  const socket = connect(mesh.master.http.port, '127.0.0.1')
  socket.write(bytes)
  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), head, error: JSON.parse(body).error }
}

const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${headers}\r\n`

test.each([
  ['bytes that are no text', '/v1/agents/%ff%fe'],
  ['an escape that is none', '/v1/agents/%zz'],
  ['an id longer than any', `/v1/agents/${'a'.repeat(5000)}`],
])('an address with %s is nowhere', async (_what, path) => {
  const { status, head, error } = await exchange(get(path, 'x-request-id: mine\r\n'))
  expect([status, error.code, error.request_id]).toEqual([404, 'NOT_FOUND', 'mine'])
  expect(head).toMatch(/x-request-id: mine/i)
})

test('an expectation that nobody knows is ignored', async () => {
  const { status, error } = await exchange(get('/v1/organizations', 'expect: miracles\r\n'))
  expect([status, error.code]).toEqual([401, 'UNAUTHORIZED'])
})

test.each([
  ['no HTTP', 'hello\r\n\r\n', 400],
  ['headers beyond measure', get('/v1/organizations', `x: ${'y'.repeat(20_000)}\r\n`), 431],
])('%s is refused in the envelope of all errors', async (_what, bytes, expected) => {
  const { status, error } = await exchange(bytes)
  expect(status).toBe(expected)
  expect(error).toMatchObject({ code: 'VALIDATION_ERROR', request_id: expect.stringMatching(/^req-/), details: [{ field: 'headers' }] })
})
