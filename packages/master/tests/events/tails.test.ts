import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import type { AccessLogEntry, ErrorLogEntry } from '@nxmesh/model/access-log'
import { accessToken, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { newPerson } from '@nxmesh/testkit/people'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { line, newTelemetryAgent, type TelemetryAgent } from '../telemetry-agent.ts'
import { type Listening, listenWith } from './listening.ts'

const begun = Date.parse('2026-03-01T00:00:00Z')

describe.each(stores)('following logs, on $name', (store) => {
  let stack: AsyncDisposableStack
  let mesh: TestMaster
  let token: string
  let agent: TelemetryAgent
  let stranger: TelemetryAgent

  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch()).path
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(join(directory, 'master'), await opened.settings()))
    token = await accessToken(mesh.base)
    const { client, master, organizationId: organization_id } = mesh
    const other = await client.call(routes.createWorkspace, { params: { organization_id }, body: { name: 'Other', slug: 'other' } })
    const door = { client, port: master.agents.port, caPem: master.ctx.authority.caPem }
    agent = opening.use(await newTelemetryAgent({ ...door, workspaceId: mesh.workspaceId }, 'followed'))
    stranger = opening.use(await newTelemetryAgent({ ...door, workspaceId: other.id }, 'stranger'))
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  const listening = () => listenWith(mesh.base, token)
  const tail = (log: 'access' | 'error', filter: object = {}) => ({
    action: 'tail',
    log,
    filter: { workspace_id: mesh.workspaceId, ...filter },
  })
  const serve = (of: TelemetryAgent, ...lines: [uri: string, status: string][]) =>
    of.logs({ entries: lines.map(([uri, status], index) => line(begun + index, { uri, status })) })
  const entriesOf = ({ tails }: Listening) =>
    tails.flatMap<AccessLogEntry | ErrorLogEntry>((message) => (message.type === 'log.entries' ? message.entries : []))
  const urisOf = (socket: Listening) => entriesOf(socket).map((entry) => ('uri' in entry ? entry.uri : entry.message))

  test('what comes from now on and fulfils the filter is told in its order, of agents of this workspace alone', async () => {
    await serve(agent, ['/before', '500'])
    await using socket = await listening()
    const answer = await socket.ask({ ...tail('access', { status_code: '5xx', uri: '/api/' }), request_id: 'mine' })
    expect(answer).toEqual({ type: 'tailing', request_id: 'mine', tail_id: expect.any(String) })
    await serve(stranger, ['/api/theirs', '500'])
    await serve(agent, ['/api/1', '500'], ['/api/fine', '200'], ['/elsewhere', '500'], ['/api/2', '503'])
    await serve(agent, ['/api/3', '502'])
    await until('the last of them', () => urisOf(socket).includes('/api/3'))
    expect(urisOf(socket)).toEqual(['/api/1', '/api/2', '/api/3'])
    const { data } = await mesh.client.call(routes.listAccessLogs, {
      params: { workspace_id: mesh.workspaceId },
      query: { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z', uri: '/api/3' },
    })
    expect(entriesOf(socket).at(-1)).toEqual(data[0])
  })

  test('the error log is followed by level and text', async () => {
    await using socket = await listening()
    await socket.ask(tail('error', { level: 'error', q: 'REFUSED' }))
    const said = (level: string, message: string) => ({ timestamp: BigInt(begun), level, message, fields: { log: 'error' } })
    await agent.logs({ entries: [said('warn', 'refused 1'), said('error', 'connection refused'), said('error', 'other')] })
    await until('a line', () => entriesOf(socket).length > 0)
    expect(urisOf(socket)).toEqual(['connection refused'])
  })

  test('of more than has room the newest are told, and how many are not', async () => {
    await using socket = await listening()
    await socket.ask(tail('access'))
    await serve(agent, ...Array.from({ length: 500 }, (_, index) => [`/${index}`, '200'] as [string, string]))
    const [message] = await until('lines', () => socket.tails.length > 0 && socket.tails)
    expect(message).toMatchObject({ type: 'log.entries', log: 'access', skipped: 300 })
    expect(urisOf(socket)).toEqual(Array.from({ length: 200 }, (_, index) => `/${index + 300}`))
  })

  test('a store that dies is followed on when it is back', async () => {
    await using socket = await listening()
    await socket.ask(tail('access'))
    await serve(agent, ['/with-the-first', '200'])
    await until('the first', () => urisOf(socket).length === 1)
    process.kill(mesh.master.ctx.telemetry.status().pid!, 'SIGKILL')
    await until('a store that takes lines', async () => (await serve(agent, ['/with-the-second', '200'])).success)
    await until('the second', () => urisOf(socket).length > 1)
    expect(urisOf(socket)).toEqual(['/with-the-first', '/with-the-second'])
  })

  test('after untail nothing more of it is told', async () => {
    await using socket = await listening()
    const first = await socket.ask(tail('access', { uri: '/one' }))
    const second = await socket.ask(tail('access', { uri: '/two' }))
    const idOf = (answer: object) => ('tail_id' in answer ? answer.tail_id : undefined)
    expect(await socket.ask({ action: 'untail', tail_id: idOf(first) })).toMatchObject({ type: 'untailed', tails: [idOf(second)] })
    await serve(agent, ['/one', '200'], ['/two', '200'])
    await until('the other one', () => urisOf(socket).length > 0)
    expect(urisOf(socket)).toEqual(['/two'])
    expect(await socket.ask({ action: 'untail' })).toMatchObject({ tails: [] })
  })

  test('what cannot be followed is told, and the socket stays', async () => {
    await using socket = await listening()
    const refusal = async (message: object) => {
      const answer = await socket.ask(message)
      return answer.type === 'error' ? [answer.error.code, answer.error.details[0]?.field] : answer
    }
    expect(await refusal({ ...tail('access'), log: 'slow' })).toEqual(['VALIDATION_ERROR', 'log'])
    expect(await refusal(tail('access', { status_code: 'bad' }))).toEqual(['VALIDATION_ERROR', 'filter.status_code'])
    expect(await refusal(tail('access', { from: '2026-03-01T00:00:00Z' }))).toEqual(['VALIDATION_ERROR', 'filter.from'])
    expect(await refusal({ action: 'tail', log: 'access', filter: {} })).toEqual(['VALIDATION_ERROR', 'filter.workspace_id'])
    expect(await refusal(tail('access', { workspace_id: crypto.randomUUID() }))).toEqual(['NOT_FOUND', undefined])
    expect(await refusal({ action: 'untail', tail_id: 'none' })).toEqual(['NOT_FOUND', 'tail_id'])
    for (let count = 0; count < 5; count++) expect(await socket.ask(tail('access'))).toMatchObject({ type: 'tailing' })
    expect(await refusal(tail('access'))).toEqual(['CONFLICT', undefined])
  })

  test('who may not see the workspace cannot follow it, and who loses their role is told so', async () => {
    const { master, base, workspaceId, client } = mesh
    const outsider = await newPerson(master.ctx, base, 'outsider@example.com')
    await using outside = await listenWith(base, outsider.token)
    expect(await outside.ask(tail('access'))).toMatchObject({ type: 'error', error: { code: 'NOT_FOUND' } })
    const viewer = await newPerson(master.ctx, base, 'viewer@example.com', { workspace: { id: workspaceId, role: 'viewer' } })
    await using inside = await listenWith(base, viewer.token)
    await inside.ask(tail('access'))
    await serve(agent, ['/seen', '200'])
    await until('a line', () => urisOf(inside).includes('/seen'))
    await client.call(routes.removeWorkspaceMember, { params: { workspace_id: workspaceId, user_id: viewer.id } })
    await serve(agent, ['/unseen', '200'])
    await until('the end', () => inside.tails.some(({ type }) => type === 'tail.ended'))
    expect(inside.tails.at(-1)).toMatchObject({ type: 'tail.ended', error: { code: 'NOT_FOUND' } })
    expect(urisOf(inside)).toEqual(['/seen'])
  })
})
