import { routes } from '@nxmesh/api/routes'
import { accessToken, type TestMaster } from '@nxmesh/testkit/master'
import { newPerson, type Person } from '@nxmesh/testkit/people'
import type { Received } from './check.ts'
import type { Random } from './random.ts'
import type { Sent } from './requests.ts'

/** What the requests of a round act on and for: people of several roles, and values seen in answers by the name of their field. */
export interface World {
  people: Person[]
  known(name: string, random: Random): string | undefined
  /** Takes in what an answer tells: new values, and which are gone. */
  hear(asked: Sent, received: Received): void
  /** Whether nothing is left to ask about, or the owner cannot sign in any more. */
  isOver(): Promise<boolean>
}

const keep = 30
let rounds = 0

/** A fresh tenant with a bit of everything in it, and people who may do all, some and nothing in it. */
export async function newWorld(mesh: TestMaster): Promise<World> {
  const round = ++rounds
  const seen = new Map<string, string[]>()
  let signedIn = true
  const { ctx } = mesh.master
  const person = (role: string, roles = {}) => newPerson(ctx, mesh.base, `${role}-${round}@example.com`, roles)
  const owner = await person('owner')
  const organization = await owner.client.call(routes.createOrganization, { body: { name: `Round ${round}`, slug: `round-${round}` } })
  const params = { organization_id: organization.id }
  const workspace = await owner.client.call(routes.createWorkspace, { params, body: { name: 'Fuzzed', slug: 'fuzzed' } })
  const member = { id: organization.id, role: 'member' }
  const people = [
    owner,
    await person('admin', { organization: { id: organization.id, role: 'admin' } }),
    await person('operator', { organization: member, workspace: { id: workspace.id, role: 'operator' } }),
    await person('viewer', { organization: member, workspace: { id: workspace.id, role: 'viewer' } }),
    await person('stranger'),
  ]
  const world: World = {
    people,
    known(name, random) {
      const values = seen.get(name)
      return values === undefined || values.length === 0 ? undefined : random.pick(values)
    },
    hear({ operation, method, path, headers }, received) {
      const { status, body } = received
      if (headers['authorization'] === `Bearer ${owner.token}`) {
        if (status === 401) signedIn = false
        // What an owner does not find, or has deleted, is not worth asking for again.
        if (status === 404 || (method === 'DELETE' && status === 204)) forget(path.split(/[/?]/))
      }
      if (status >= 300 || !/^application\/json\b/.test(String(received.headers['content-type']))) return
      const { operationId } = operation
      learn(operationId.slice(0, operationId.indexOf('.')).replaceAll('-', '_'), JSON.parse(body))
    },
    async isOver() {
      if (seen.get('workspace_id')?.length === 0 || seen.get('organization_id')?.length === 0) return true
      if (signedIn) return false
      try {
        owner.token = await accessToken(mesh.base, owner)
        signedIn = true
        return false
      } catch {
        return true
      }
    },
  }
  learn('organization', organization)
  learn('workspace', workspace)
  const inWorkspace = { workspace_id: workspace.id }
  for (let index = 1; index <= 3; index++) {
    const upstream = { name: `Upstream ${index}`, servers: [{ address: '10.0.0.1:8080' }] }
    const made = await owner.client.call(routes.createUpstream, { params: inWorkspace, body: upstream })
    learn('upstream', made)
    const stream = { name: `Stream ${index}`, listen_port: 5000 + index, upstream_id: made.id }
    const host = { name: `Host ${index}`, server_name: `host-${index}.example.com`, listen_port: 80 }
    learn('stream_host', await owner.client.call(routes.createStreamHost, { params: inWorkspace, body: stream }))
    learn('virtual_host', await owner.client.call(routes.createVirtualHost, { params: inWorkspace, body: host }))
    learn('agent', await owner.client.call(routes.createAgentToken, { params: inWorkspace, body: { name: `agent-${index}` } }))
  }
  const { email, password } = people.at(-1)!
  learn('credentials', { email, password })

  function learn(resource: string, body: unknown): void {
    if (Array.isArray(body)) for (const item of body) learn(resource, item)
    if (typeof body !== 'object' || body === null) return
    for (const [name, value] of Object.entries(body)) {
      if (name === 'id') remember(`${resource}_id`, value)
      else if (/(_id|token|version|digest|^email|^password|^slug)$/.test(name)) remember(name, value)
      else if (typeof value === 'object') learn(resource, value)
    }
  }

  function forget(values: string[]): void {
    for (const [name, kept] of seen) {
      const left = kept.filter((value) => !values.includes(value))
      seen.set(name, left)
    }
  }

  function remember(name: string, value: unknown): void {
    if (typeof value !== 'string' && typeof value !== 'number') return
    const values = seen.get(name) ?? []
    seen.set(name, values)
    if (values.includes(String(value))) return
    if (values.length < keep) values.push(String(value))
    else values[1 + (values.length % (keep - 1))] = String(value)
  }

  return world
}
