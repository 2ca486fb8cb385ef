// What a client does to a master that is no request at all: bodies held back, floods of nonsense.
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { administrator, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Door, openDoor } from './door.ts'

const stack = new AsyncDisposableStack()
let mesh: TestMaster
let door: Door

beforeAll(async () => {
  const directory = stack.use(await scratch())
  mesh = stack.use(await startTestMaster(directory.path))
  door = await openDoor(mesh.base, administrator)
})

afterAll(() => stack.disposeAsync())

/** Begins a request and keeps the last byte of its body. */
function beginRequest(port: number, path: string, token: string, body: string) {
  const socket = connect(port, '127.0.0.1')
  const head = [`POST /v1${path} HTTP/1.1`, 'host: x', 'connection: close', `authorization: Bearer ${token}`]
  const kind = ['content-type: application/json', `content-length: ${body.length}`]
  socket.write(`${[...head, ...kind].join('\r\n')}\r\n\r\n${body.slice(0, -1)}`)
  return { socket, finish: () => socket.write(body.slice(-1)), answer: () => text(socket) }
}

async function newToken(): Promise<{ id: string; token: string }> {
  const body = { name: 'held back', organization_id: mesh.organizationId, role: 'owner' }
  return (await door('POST', '/tokens', { body })).body
}

test('a request whose body comes after its credentials were taken away does nothing', async () => {
  const { id, token } = await newToken()
  const slug = 'made-too-late'
  const held = beginRequest(
    mesh.master.http.port,
    `/organizations/${mesh.organizationId}/workspaces`,
    token,
    JSON.stringify({ name: 'W', slug }),
  )
  const used = async () => (await door('GET', `/tokens/${id}`)).body.last_used_at !== null
  await until('the request to have begun', used)
  expect((await door('DELETE', `/tokens/${id}`)).status).toBe(204)
  // Within a second what was found out about the caller still holds.
  const begun = performance.now()
  await until('a second to pass', () => performance.now() - begun > 1100)
  held.finish()
  expect(await held.answer()).toMatch(/^HTTP\/1.1 401 /)
  const { body } = await door('GET', `/organizations/${mesh.organizationId}/workspaces`)
  expect(body.data.map((workspace: { slug: string }) => workspace.slug)).not.toContain(slug)
})

test('a master stops although a request does not end', async () => {
  await using directory = await scratch()
  const other = await startTestMaster(directory.path)
  const { access_token } = (await (await openDoor(other.base, administrator))('POST', '/auth/login', { body: administrator })).body
  const held = beginRequest(other.master.http.port, `/organizations/${other.organizationId}/workspaces`, access_token, '{"name":"W"}')
  held.socket.on('error', () => undefined)
  await until('the request to be there', async () => (await countOf(other)) > 0)
  await other[Symbol.asyncDispose]()
  await expect(fetch(`${other.base}/healthz`)).rejects.toThrow('fetch failed')
})

async function countOf({ master }: TestMaster): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${master.http.port}/healthz`)
  return response.status === 200 ? 1 : 0
}

test('who is not signed in has little to say', async () => {
  const flood = JSON.stringify(Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`field_${index}`, 1])))
  const response = await fetch(`${mesh.base}/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: flood,
  })
  const details = [{ field: 'body', code: 'TOO_LONG' }]
  expect([response.status, await response.json()]).toMatchObject([422, { error: { details } }])
})

test('a body of more members than any resource has is refused before it is read', async () => {
  const body = { servers: Array.from({ length: 300_000 }, () => 1) }
  const { status, body: answer } = await door('POST', `/workspaces/${mesh.workspaceId}/upstreams`, { body })
  expect([status, answer.error.details[0]]).toMatchObject([422, { field: 'body', code: 'OUT_OF_RANGE' }])
})

test('of very many mistakes the first hundred are told', async () => {
  const body = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`field_${index}`, 1]))
  const { status, body: answer } = await door('POST', `/workspaces/${mesh.workspaceId}/upstreams`, { body })
  expect([status, answer.error.details.length]).toEqual([422, 100])
})
