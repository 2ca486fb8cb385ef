import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import { accessToken, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectForeign } from '../../../../e2e/foreign/agent.ts'
import { type Listening, listenWith } from './listening.ts'

describe.each(stores)('subscriptions, on $name', (store) => {
  let stack: AsyncDisposableStack
  let started: TestMaster
  let token: string
  let otherWorkspace: string

  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch()).path
    const opened = opening.use(await store.open())
    started = opening.use(await startTestMaster(join(directory, 'master'), await opened.settings()))
    token = await accessToken(started.base)
    otherWorkspace = (
      await started.client.call(routes.createWorkspace, {
        params: { organization_id: started.organizationId },
        body: { name: 'Other', slug: 'other' },
      })
    ).id
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  const listening = () => listenWith(started.base, token)
  const newUpstream = async (name: string, workspaceId = started.workspaceId) =>
    (
      await started.client.call(routes.createUpstream, {
        params: { workspace_id: workspaceId },
        body: { name, servers: [{ address: '127.0.0.1:9' }] },
      })
    ).id
  const newAgent = (name: string) =>
    started.client.call(routes.createAgentToken, { params: { workspace_id: started.workspaceId }, body: { name } })
  const typesOf = ({ events }: Listening) => events.map(({ type }) => type)
  // What comes last shows that nothing came before it.
  const settle = async (events: Listening) => {
    await events.ask({ action: 'subscribe', events: ['settings.updated'] })
    const { env_vars } = await started.client.call(routes.getSettings, { params: { workspace_id: started.workspaceId } })
    const body = { env_vars: { TURN: String(Number(env_vars['TURN'] ?? 0) + 1) } }
    await started.client.call(routes.updateSettings, { params: { workspace_id: started.workspaceId }, body })
    await events.next('settings.updated')
  }

  test('before it subscribes a socket is told everything, afterwards what it asked for, and in the end nothing', async () => {
    await using events = await listening()
    await newUpstream('all')
    await events.next('revision.created')
    expect(typesOf(events)).toEqual(['upstream.created', 'revision.created'])
    const subscribed = await events.ask({ action: 'subscribe', events: ['upstream.*'], request_id: 'mine' })
    expect(subscribed).toEqual({
      type: 'subscribed',
      request_id: 'mine',
      subscription_id: expect.any(String),
      events: ['upstream.*'],
      filter: {},
      last_event_id: events.events.at(-1)!.id,
    })
    const id = await newUpstream('chosen')
    await events.next('upstream.created', { upstream_id: id })
    const unsubscribed = await events.ask({
      action: 'unsubscribe',
      subscription_id: 'subscription_id' in subscribed && subscribed.subscription_id,
    })
    expect(unsubscribed).toEqual({ type: 'unsubscribed', request_id: expect.stringMatching(/^req-/), subscriptions: [] })
    await newUpstream('unseen')
    await settle(events)
    expect(typesOf(events)).toEqual(['upstream.created', 'revision.created', 'upstream.created', 'settings.updated'])
  })

  test("the contract's own subscription brings what it names and nothing else, each event once", async () => {
    await using events = await listening()
    const filter = { workspace_id: started.workspaceId }
    expect(await events.ask({ action: 'subscribe', events: ['agent.*', 'config.*'], filter })).toMatchObject({ type: 'subscribed', filter })
    expect(await events.ask({ action: 'subscribe', events: ['agent.created'] })).toMatchObject({ type: 'subscribed', filter: {} })
    await newUpstream('not asked for')
    const { agent_id } = await newAgent('asked for')
    await started.client.call(routes.updateAgent, { params: { agent_id }, body: { labels: { env: 'test' } } })
    await events.next('agent.updated')
    expect(events.events.map(({ type, data }) => [type, data])).toEqual([
      ['agent.created', { agent_id, name: 'asked for' }],
      ['agent.updated', { agent_id, name: 'asked for', labels: { env: 'test' } }],
    ])
  })

  test('filters by workspace and by agent', async () => {
    const { agent_id, token: agentToken } = await newAgent('filtered')
    await using here = await listening()
    await using there = await listening()
    await using one = await listening()
    await here.ask({ action: 'subscribe', filter: { workspace_id: started.workspaceId } })
    await there.ask({ action: 'subscribe', events: ['*'], filter: { workspace_id: otherWorkspace } })
    await one.ask({ action: 'subscribe', filter: { agent_id } })
    await newUpstream('here')
    await newUpstream('there', otherWorkspace)
    await newAgent('another')
    await using agent = connectForeign({ port: started.master.agents.port, caPem: started.master.ctx.authority.caPem })
    await agent.register({ token: agentToken })
    await one.next('agent.connected')
    await there.next('revision.created')
    await here.next('agent.connected')
    const workspaces = ({ events }: Listening) => new Set(events.map(({ workspace_id }) => workspace_id))
    expect([...workspaces(there)]).toEqual([otherWorkspace])
    expect(here.events.filter(({ type }) => type === 'upstream.created').map(({ data }) => data['name'])).toEqual(['here'])
    expect(one.events.filter(({ data }) => data['agent_id'] !== agent_id)).toEqual([])
    agent.finish()
    await one.next('agent.disconnected', { reason: 'closed_by_agent' })
  })

  test('a pattern can be taken out of every subscription by its name', async () => {
    await using events = await listening()
    await events.ask({ action: 'subscribe', events: ['upstream.*', 'config.*'] })
    const second = await events.ask({ action: 'subscribe', events: ['upstream.*', 'virtual_host.*'] })
    await events.ask({ action: 'subscribe', events: ['upstream.*'] })
    const left = await events.ask({ action: 'unsubscribe', events: ['upstream.*'] })
    expect(left).toMatchObject({
      type: 'unsubscribed',
      subscriptions: [expect.any(String), (second as { subscription_id: string }).subscription_id],
    })
    await newUpstream('taken out')
    await settle(events)
    expect(typesOf(events)).toEqual(['settings.updated'])
  })

  test.each([
    ['no JSON', '{', 'VALIDATION_ERROR', 'body'],
    ['no object', '7', 'VALIDATION_ERROR', 'message'],
    ['no action', {}, 'VALIDATION_ERROR', 'action'],
    ['another action', { action: 'listen' }, 'VALIDATION_ERROR', 'action'],
    ['an unknown field', { action: 'subscribe', evnets: ['*'] }, 'VALIDATION_ERROR', 'evnets'],
    ['an unknown filter', { action: 'subscribe', filter: { region: 'eu' } }, 'VALIDATION_ERROR', 'filter.region'],
    ['a pattern of nothing', { action: 'subscribe', events: ['agent.*', 'agnet.*'] }, 'VALIDATION_ERROR', 'events.1'],
    ['no pattern', { action: 'subscribe', events: [] }, 'VALIDATION_ERROR', 'events'],
    ['too many patterns', { action: 'subscribe', events: Array(51).fill('*') }, 'VALIDATION_ERROR', 'events'],
    ['an id that is none', { action: 'subscribe', filter: { workspace_id: 'production' } }, 'VALIDATION_ERROR', 'filter.workspace_id'],
    ['a cursor that is not known', { action: 'subscribe', after: 'long ago' }, 'NOT_FOUND', 'after'],
    ['a subscription that is not there', { action: 'unsubscribe', subscription_id: 'x' }, 'NOT_FOUND', 'subscription_id'],
  ])('%s is answered with an error, and the socket goes on', async (_what, message, code, field) => {
    await using events = await listening()
    const answer = await events.ask(message)
    expect(answer).toMatchObject({
      type: 'error',
      error: { code, message: expect.any(String), request_id: expect.any(String), details: [expect.objectContaining({ field })] },
    })
    await newUpstream(`after ${_what}`)
    await events.next('upstream.created', { name: `after ${_what}` })
  })

  test('a workspace and an agent that are not there are not found', async () => {
    await using events = await listening()
    const id = '00000000-0000-7000-8000-000000000009'
    for (const filter of [{ workspace_id: id }, { agent_id: id }]) {
      expect(await events.ask({ action: 'subscribe', filter, request_id: 'r-1' })).toMatchObject({
        type: 'error',
        error: { code: 'NOT_FOUND', request_id: 'r-1' },
      })
    }
  })

  test('there is a bound to the number and the size of messages, and to subscriptions', async () => {
    await using many = await listening()
    for (let sent = 0; sent < 101; sent++) many.socket.send('{"action":"unsubscribe"}')
    expect(await many.closed).toEqual({ code: 1008, reason: 'more than 100 messages in ten seconds' })
    await using large = await listening()
    large.socket.send(JSON.stringify({ action: 'subscribe', events: ['x'.repeat(20_000)] }))
    expect((await large.closed).code).toBe(1009)
    await using greedy = await listening()
    for (let made = 0; made < 50; made++) await greedy.ask({ action: 'subscribe', events: ['agent.*'] })
    expect(await greedy.ask({ action: 'subscribe' })).toMatchObject({ type: 'error', error: { code: 'CONFLICT' } })
  })

  test('history comes first, then what is new, and nothing twice', async () => {
    await using first = await listening()
    await newUpstream('h1')
    const { id } = await first.next('upstream.created', { name: 'h1' })
    for (const name of ['h2', 'h3', 'h4']) await newUpstream(name)

    await using events = await listening()
    await events.ask({ action: 'subscribe', events: ['upstream.created'], after: id })
    await newUpstream('h5')
    await events.next('upstream.created', { name: 'h5' })
    // A second one, over the first, that reaches further back and wants more.
    await events.ask({ action: 'subscribe', events: ['upstream.*', 'revision.created'], after: id })
    await newUpstream('h6')
    await until('the rest', () => events.events.filter(({ type }) => type === 'revision.created').length === 6)
    expect(events.events.filter(({ type }) => type === 'upstream.created').map(({ data }) => data['name'])).toEqual([
      'h2',
      'h3',
      'h4',
      'h5',
      'h6',
    ])
    expect(new Set(events.events.map((event) => event.id)).size).toBe(events.events.length)
  })
})
