import { type Standing, standings, verdict } from '@nxmesh/api/access-table'
import { exampleOf } from '@nxmesh/api/examples/examples'
import type { Route } from '@nxmesh/api/route'
import { type RouteName, routes } from '@nxmesh/api/routes'
import { administrator, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { type Door, type DoorAnswer, doorAt, openDoor } from './door.ts'
import { everyRow } from './every-row.ts'
import { type Caller, callersOf, newTenant, type Tenant, type Thing } from './tenants.ts'

const names = Object.keys(routes) as RouteName[]
const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/
// What the caller does to themselves; each is tested where sessions are.
const ending = new Set<RouteName>(['logout', 'closeSession'])

let stack: AsyncDisposableStack
let mesh: TestMaster
let mine: Tenant
let theirs: Tenant
let outsider: Door
let callers: Caller[]
let words = 0

/** How a path is filled, by the names of its parameters. */
type Fill = (parameter: string) => string

function pathOf(route: Route, fill: Fill): string {
  return route.path.replaceAll(/\{(\w+)\}/g, (_, parameter: string) => (parameter === 'version' ? '1' : fill(parameter)))
}

function parametersOf(route: Route): string[] {
  return [...route.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!).filter((parameter) => parameter !== 'version')
}

function ownThings(): Thing[] {
  return [mine.organization, ...mine.common, ...mine.workspaces[0], ...mine.users, ...mine.tokens]
}

function own(parameter: string): string {
  const thing = ownThings().find((candidate) => candidate.parameter === parameter)
  if (!thing) throw new Error(`no tenant has a thing for {${parameter}}: add one in tenants.ts`)
  return thing.id
}

describe.each(stores)('on $name', (store) => {
  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch())
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(directory.path, await opened.settings()))
    mine = await newTenant(mesh, 'MINE')
    theirs = await newTenant(mesh, 'THEIRS')
    outsider = await openDoor(mesh.base, administrator)
    callers = await callersOf(mine, theirs, doorAt(mesh.base, undefined))
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  // A parameter that no route knows is refused after it is decided who may, and before anything is done.
  test.each(names)('%s lets in whom docs/access.md lets in', async (name) => {
    const route: Route = routes[name]
    const refusals: Record<string, number> = { yes: 422, 401: 401, 403: 403, 404: 404 }
    const doors: Partial<Record<Standing, Door>> = { ...mine.doors, outsider, nobody: doorAt(mesh.base, undefined) }
    for (const standing of Object.keys(standings) as Standing[]) {
      const door = doors[standing]
      if (!door) continue
      const expected = verdict(route.access, standing)
      const headers = name === 'openSession' ? { 'x-nxmesh-session': '1' } : {}
      const { status } = await door(route.method, `${pathOf(route, own)}?nonsense=1`, { headers })
      if (expected === 'self') expect([403, 404], standing).toContain(status)
      else expect([standing, status]).toEqual([standing, refusals[expected]])
    }
  })

  test.each(names)('%s tells and changes nothing that is hidden', async (name) => {
    const route: Route = routes[name]
    const before = await rowsOf(theirs)
    await fc.assert(
      fc.asyncProperty(fc.nat(callers.length - 1), fc.infiniteStream(fc.nat(1_000_000)), async (index, stream) => {
        const caller = callers[index]!
        const next = () => stream.next().value
        const pick = <T>(among: readonly T[]): T => among[next() % among.length]!
        const request = newRequest(name, caller, pick)
        const answer = await ask(caller, route, request)
        expect(answer.status, `${caller.name}: ${answer.text}`).toBeLessThan(500)
        requireSilence(answer, caller, request)
        if (request.used.size === 0) return
        // The same with ids that nobody has: if it were answered otherwise, it would tell that those exist.
        const unknown = await ask(caller, route, elsewhere(request))
        expect({ caller: caller.name, request, answer: blurred(answer) }).toEqual({
          caller: caller.name,
          request,
          answer: blurred(unknown),
        })
      }),
      { numRuns: parametersOf(route).length > 1 || hasIds(name) ? 60 : 12 },
    )
    expect(await rowsOf(theirs)).toEqual(before)
  })

  test('lists show only what is one’s own', async () => {
    let seen = 0
    for (const caller of callers) {
      for (const name of names.filter((candidate) => routes[candidate].method === 'GET')) {
        const answer = await caller.door('GET', pathOf(routes[name], own))
        requireSilence(answer, caller, { path: '', body: undefined, used: new Set(ownThings().map(({ id }) => id)) })
        if (answer.status === 200) seen++
      }
    }
    expect(seen).toBeGreaterThan(callers.length * 5)
  })
})

interface Sent {
  path: string
  body: unknown
  /** Hidden ids that are in it. */
  used: Set<string>
}

function hasIds(name: RouteName): boolean {
  return uuid.test(JSON.stringify(exampleOf(name).body ?? null))
}

/** A request of a route with ids of hidden things in its path, its query and its body, among some that the caller may see. */
function newRequest(name: RouteName, caller: Caller, pick: <T>(among: readonly T[]) => T): Sent {
  const route: Route = routes[name]
  const used = new Set<string>()
  const hiddenId = (parameter?: string) => {
    const fitting = caller.hidden.filter((thing) => thing.parameter === parameter)
    // Now and then the id of something else.
    const { id } = pick(fitting.length > 0 && pick([true, true, true, false]) ? fitting : caller.hidden)
    used.add(id)
    return id
  }
  const parameters = parametersOf(route)
  const free = route.method === 'DELETE' ? pick(parameters.length > 0 ? parameters : ['']) : undefined
  // What is deleted or reset is never one's own, or the others would soon have nothing left to try with.
  const destructive = route.method === 'DELETE' || name === 'resetPassword'
  const visible = hasIds(name) ? [true, true, true, false] : [true, false]
  const path = pathOf(route, (parameter) =>
    (destructive && parameters.length === 1) || parameter === free || !pick(visible) ? hiddenId(parameter) : own(parameter),
  )
  const query = Object.keys((route.query as z.ZodObject).shape ?? {}).filter(
    (key) => !['page', 'per_page', 'force', 'format'].includes(key),
  )
  const asked = query.length > 0 && pick([true, false]) ? `?${pick(query)}=${hiddenId()}` : ''
  const { body } = exampleOf(name)
  return { path: `${path}${asked}`, body: filled(body, hiddenId, pick), used }
}

// The words and ids of an example replaced: words that must be new by new ones, ids by hidden ones.
function filled(value: unknown, hiddenId: (parameter?: string) => string, pick: <T>(among: readonly T[]) => T, key = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => filled(item, hiddenId, pick, key.replace(/s$/, '')))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, filled(member, hiddenId, pick, name)]))
  }
  if (typeof value !== 'string') return value
  if (new RegExp(`^${uuid.source}$`).test(value))
    return pick([true, true, false]) || !ownThings().some((thing) => thing.parameter === key) ? hiddenId(key) : own(key)
  if (key === 'slug' || key === 'name' || key === 'server_name') return `word-${++words}`
  return key === 'email' ? `word-${++words}@example.com` : value
}

function elsewhere({ path, body, used }: Sent): Sent {
  let text = JSON.stringify({ path, body })
  for (const id of used) text = text.replaceAll(id, crypto.randomUUID())
  text = text.replaceAll(/word-\d+/g, () => `word-${++words}`)
  return { body: undefined, ...(JSON.parse(text) as { path: string; body?: unknown }), used: new Set() }
}

async function ask(caller: Caller, route: Route, { path, body }: Sent): Promise<DoorAnswer> {
  const skip = [...ending].some((name) => routes[name].id === route.id) && caller.standing !== 'token' && caller.standing !== 'nobody'
  // Whoever signs out tries with what is no request, so that they are still there for the next.
  return caller.door(route.method, skip ? `${path}?nonsense=1` : path, body === undefined ? {} : { body })
}

/** Nothing of an answer may be about a hidden thing, except the ids that the caller knew already. */
function requireSilence({ text }: DoorAnswer, { hidden, name }: Caller, { used }: Sent): void {
  const told = hidden.filter(({ id, mark, known }) => (!known && !used.has(id) && text.includes(id)) || text.includes(mark))
  expect(told, `${name} is told: ${text}`).toEqual([])
}

/** An answer without what differs from request to request anyway. */
function blurred({ status, text }: DoorAnswer): unknown {
  const plain = text
    .replaceAll(new RegExp(uuid, 'g'), '<id>')
    .replaceAll(/word-\d+/g, '<word>')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/"(token|prefix|one_time_password)":"[^"]*"/g, '"$1":"<secret>"')
  return [status, plain]
}

/** All rows that have to do with a tenant. */
async function rowsOf(tenant: Tenant): Promise<string[]> {
  const ids = [tenant.organization, ...tenant.common, ...tenant.workspaces.flat(), ...tenant.users, ...tenant.tokens].map(({ id }) => id)
  const tables = await everyRow(mesh.master.ctx.db)
  return Object.entries(tables).flatMap(([table, rows]) =>
    rows.map((row) => `${table} ${JSON.stringify(row)}`).filter((row) => ids.some((id) => row.includes(id))),
  )
}
