import { routes } from '@nxmesh/api/routes'
import type { TestMaster } from '@nxmesh/testkit/master'
import { newPerson, type Person } from '@nxmesh/testkit/people'
import type { Received } from './check.ts'
import type { Random } from './random.ts'

/** What the requests of a round act on and for: people of several roles, and values seen in answers by the name of their field. */
export interface World {
  people: Person[]
  known(name: string, random: Random): string | undefined
  /** Takes in the values of an answer to an operation. */
  hear(operationId: string, received: Received): void
  /** Drops what is no longer there. */
  forget(values: string[]): void
}

const keep = 30
let rounds = 0

/** A fresh tenant with a bit of everything in it, and people who may do all, some and nothing in it. */
export async function newWorld(mesh: TestMaster): Promise<World> {
  const round = ++rounds
  const seen = new Map<string, string[]>()
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
    hear(operationId, { status, headers, body }) {
      if (status >= 300 || !/^application\/json\b/.test(String(headers['content-type']))) return
      learn(operationId.slice(0, operationId.indexOf('.')).replaceAll('-', '_'), JSON.parse(body))
    },
    forget(values) {
      for (const [name, kept] of seen)
        seen.set(
          name,
          kept.filter((value) => !values.includes(value)),
        )
    },
  }
  learn('organization', organization)
  learn('workspace', workspace)
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
