import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { Code, ConnectError } from '@connectrpc/connect'
import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { startHarness, until } from './link-harness.ts'
import { connectNative } from './link-native.ts'

test('a stream that does not begin with a registration is told so', async () => {
  await using mesh = await startHarness()
  await using agent = mesh.connect()
  agent.send({ case: 'health', value: {} })
  expect(await agent.next('error')).toMatchObject({ code: 'INVALID_ARGUMENT', details: { registration: expect.any(String) } })
  expect(ConnectError.from(await agent.ended).code).toBe(Code.InvalidArgument)
  using garbled = connectNative(mesh.port, mesh.ctx.authority.caPem)
  garbled.sendRaw(Buffer.from('ffffffffffff', 'hex'))
  expect(await garbled.next('error')).toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect((await garbled.ended).code).toBe(status.INVALID_ARGUMENT)
})

test('a second registration, or a message of another agent, ends the session', async () => {
  await using mesh = await startHarness()
  for (const misstep of ['again', 'other'] as const) {
    const { token } = await mesh.agentToken()
    await using agent = mesh.connect()
    await agent.register({ token })
    if (misstep === 'again') agent.send({ case: 'registration', value: { token } })
    else agent.send({ case: 'health', value: {} }, '00000000-0000-7000-8000-00000000dead')
    await agent.next('error')
    expect(ConnectError.from(await agent.ended).code).toBe(misstep === 'again' ? Code.InvalidArgument : Code.PermissionDenied)
  }
})

test('peers that never register, speak no TLS or no HTTP/2 leave nothing behind', async () => {
  await using mesh = await startHarness({ registration_timeout_ms: 300 })
  const { caPem: ca } = mesh.ctx.authority
  const closed: Promise<unknown>[] = []
  const plain = connectTcp(mesh.port, '127.0.0.1')
  plain.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  const mute = connectTcp(mesh.port, '127.0.0.1')
  const noAlpn = connectTls({ port: mesh.port, host: '127.0.0.1', ca })
  const garbage = connectTls({ port: mesh.port, host: '127.0.0.1', ca, ALPNProtocols: ['h2'] }, () => garbage.write('x'.repeat(10_000)))
  const idle = connectTls({ port: mesh.port, host: '127.0.0.1', ca, ALPNProtocols: ['h2'] })
  for (const socket of [plain, mute, noAlpn, garbage, idle]) {
    socket.on('error', () => undefined)
    socket.resume()
    closed.push(once(socket, 'close'))
  }
  using silent = connectNative(mesh.port, ca)
  expect((await silent.ended).code).toBe(status.DEADLINE_EXCEEDED)
  await Promise.all(closed)
  await until('every connection is gone', () => mesh.connections() === 0)
})

// In a process of its own, so that what it sends does not count as memory of the master.
const floodClient = `
  import { once } from 'node:events'
  import { connect } from 'node:http2'
  const [port, ca] = process.argv.slice(1)
  const session = connect('https://127.0.0.1:' + port, { ca })
  const stream = session.request({
    ':method': 'POST', ':path': '/nxmesh.agent.v1.AgentService/Stream', 'content-type': 'application/grpc', te: 'trailers',
  })
  let status
  const note = (headers) => { status ??= headers['grpc-status'] }
  stream.on('response', note).on('trailers', note).on('error', () => undefined).resume()
  const closed = once(stream, 'close')
  const head = Buffer.alloc(5)
  head.writeUInt32BE(100 * 1048576, 1)
  stream.write(head)
  const chunk = Buffer.alloc(1048576)
  for (let sent = 0; sent < 500 && !stream.closed; sent++) {
    if (!stream.write(chunk)) await Promise.race([new Promise((resolve) => stream.once('drain', resolve)), closed])
  }
  console.log(status)
  session.destroy()
`

test('a message of 100 MB is refused by its length before it is held', async () => {
  await using mesh = await startHarness()
  const before = process.memoryUsage().rss
  let peak = before
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss)
  }, 5)
  const args = ['--input-type=module', '-e', floodClient, String(mesh.port), mesh.ctx.authority.caPem]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 30_000 })
  clearInterval(watch)
  expect(stdout.trim()).toBe(String(status.RESOURCE_EXHAUSTED))
  // 500 MB follow the length; what the allocator keeps for a while is not what is held.
  expect(peak - before).toBeLessThan(150 * 1_048_576)
})

test('an agent that never reads is cut before much is queued for it', async () => {
  await using mesh = await startHarness()
  const { id, token } = await mesh.agentToken()
  using agent = connectNative(mesh.port, mesh.ctx.authority.caPem)
  agent.send({ case: 'registration', value: { token } })
  await agent.next('registrationResponse')
  agent.stream.pause()
  // What the flow-control window of HTTP/2 and the sockets take is little against this.
  const eventId = 'e'.repeat(4000)
  let sent = 0
  while (mesh.ctx.sessions.get(id) && sent < 100_000) {
    sent++
    if (!agent.send({ case: 'event', value: { eventId, eventType: 'x' } })) await new Promise((resolve) => setImmediate(resolve))
  }
  expect(mesh.ctx.sessions.get(id)).toBeUndefined()
  expect(mesh.logged.join()).not.toContain(token)
  await until('its connection is gone', () => mesh.connections() === 0)
})
