import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EventEnvelope } from '@nxmesh/api/events'
import { routes } from '@nxmesh/api/routes'
import { accessToken, signIn } from '@nxmesh/testkit/master'
import { freePort } from '@nxmesh/testkit/ports'
import { startMasterProgram } from '@nxmesh/testkit/programs'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'
import { connectForeign } from './foreign/agent.ts'

/** A listener as anybody would write it: the contract's address, and the id of the last event when it comes back. */
function follow(address: string, token: string, events: EventEnvelope[]): Promise<WebSocket> {
  const last = events.at(-1)?.id
  const socket = new WebSocket(`${address}/v1/events?token=${token}${last === undefined ? '' : `&last_event_id=${last}`}`)
  socket.onmessage = ({ data }) => events.push(JSON.parse(String(data)) as EventEnvelope)
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve(socket)
    socket.onerror = () => reject(new Error('the socket did not open'))
  })
}

test.each(stores)(
  'a listener on $name whose master is killed under changes, three times, misses no change and hears none twice',
  async (store) => {
    await using stack = new AsyncDisposableStack()
    const directory = stack.use(await scratch()).path
    const opened = stack.use(await store.open())
    const settings = await opened.settings()
    const ports = { http: await freePort(), agents: await freePort() }
    const start = () => startMasterProgram(join(directory, 'master'), ports, settings)
    let master = await start()
    stack.defer(() => master.end('SIGKILL'))
    const base = `http://127.0.0.1:${ports.http}`
    const address = `ws://127.0.0.1:${ports.http}`
    const token = await accessToken(base)
    const client = await signIn(base)
    const organization = (await client.call(routes.listOrganizations, {})).data[0]!
    const workspace_id = (await client.call(routes.listWorkspaces, { params: { organization_id: organization.id } })).data[0]!.id
    const { agent_id, token: secret } = await client.call(routes.createAgentToken, { params: { workspace_id }, body: { name: 'foreign' } })
    const caPem = await readFile(join(directory, 'master', 'ca.pem'), 'utf8')

    const events: EventEnvelope[] = []
    let socket = await follow(address, token, events)
    let made = 0
    for (let round = 0; round < 3; round++) {
      await using agent = connectForeign({ port: ports.agents, caPem })
      await agent.register({ token: secret })
      await until('the agent to be heard of', () => events.filter(({ type }) => type === 'agent.connected').length === round + 1)
      const goal = made + 15
      const writing = (async () => {
        for (;;) {
          const body = { name: `upstream ${made}`, servers: [{ address: '127.0.0.1:9' }] }
          await client.call(routes.createUpstream, { params: { workspace_id }, body })
          made++
        }
      })().catch(() => undefined)
      await until('changes to be heard of', () => events.filter(({ type }) => type === 'upstream.created').length >= goal)
      await master.end('SIGKILL')
      await writing
      // The last one may have been committed without an answer.
      made++
      master = await start()
      socket = await follow(address, token, events)
    }
    await client.call(routes.createUpstream, { params: { workspace_id }, body: { name: 'last', servers: [{ address: '127.0.0.1:9' }] } })
    await until('the last change', () => events.some(({ data }) => data['name'] === 'last'))
    const heard = events.filter(({ type }) => type === 'upstream.created').map(({ data }) => data['version'])
    const { config_version } = await client.call(routes.getWorkspace, { params: { workspace_id } })
    expect(heard).toEqual(Array.from({ length: config_version - (heard[0] as number) + 1 }, (_, index) => (heard[0] as number) + index))
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length)
    const ends = events.filter(({ type }) => type === 'agent.disconnected')
    // The embedded database has one master, so the next start knows that the last one is gone; of others that takes half a minute.
    expect(ends.map(({ data }) => data)).toEqual(
      store.name === 'SQLite'
        ? Array.from({ length: 3 }, () => ({ agent_id, reason: 'master_lost' }))
        : Array.from({ length: 2 }, () => ({ agent_id, reason: 'replaced' })),
    )
    socket.close()
  },
)
