import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import { changeConfig } from '@nxmesh/master/change'
import { created } from '@nxmesh/master/config-change'
import { timestamp } from '@nxmesh/master/ctx'
import { connect } from '@nxmesh/master/db/open'
import { engineOf } from '@nxmesh/master/db/portable'
import { insertDocument } from '@nxmesh/master/documents'
import { hashPassword } from '@nxmesh/master/passwords'
import { uuidv7 } from '@nxmesh/master/uuid'
import { upstreamInput } from '@nxmesh/model/upstream'
import { administrator, startTestMaster } from '@nxmesh/testkit/master'
import { startPostgres } from '@nxmesh/testkit/postgres'
import { scratch } from '@nxmesh/testkit/scratch'
import { sql } from 'kysely'
import { pino } from 'pino'
import { percentile, rounded, verdict } from './figures.ts'
import { type Ask, type Outcome, send, type Target } from './load.ts'
import { runBareRoute, runMaster } from './programs.ts'

// The REST API over 10,000 upstreams on both stores, and a bare Fastify route that sends the same answers, in turns.
const rows = 10_000
const rounds = 5
const many = 8
// Requests are counted as everywhere, and there are never too many.
const counted = ['--rate-limit', '1000000000']

interface Store extends Target {
  workspaceId: string
  upstreamIds: string[]
}

interface Operation {
  name: string
  /** Requests in a round: over many connections, and over one. */
  counts: { many: number; one: number }
  /** The request with this number; no other has it. */
  ask: (store: Store, number: number) => Ask
}

const get: Operation = {
  name: 'get an upstream',
  counts: { many: 2500, one: 400 },
  ask: ({ upstreamIds }, number) => ({ method: 'GET', path: `/upstreams/${anyOf(upstreamIds, number)}` }),
}
const listFirst = list(1)
const listMiddle = list(rows / 20 / 2)
const create: Operation = {
  name: 'create an upstream',
  counts: { many: 24, one: 24 },
  ask: ({ workspaceId }, number) => ({ method: 'POST', path: `/workspaces/${workspaceId}/upstreams`, body: upstream(rows + number) }),
}
const patch: Operation = {
  name: 'patch an upstream',
  counts: { many: 24, one: 24 },
  ask: ({ upstreamIds }, number) => ({
    method: 'PATCH',
    path: `/upstreams/${anyOf(upstreamIds, number)}`,
    body: { servers: servers(rows + number) },
  }),
}
const signIn: Operation = {
  name: 'sign in',
  counts: { many: 16, one: 20 },
  ask: () => ({ method: 'POST', path: routes.login.path, body: administrator }),
}

await using directory = await scratch()
// Its commits reach the disk, as those of SQLite do.
await using postgres = await startPostgres({ durable: true })
await using sqlite = await filledMaster('SQLite', [])
await using onPostgres = await filledMaster('PostgreSQL', ['--database', await postgres.createDatabase()])
const { client, workspaceId, upstreamIds } = sqlite
const one = await client.call(routes.getUpstream, { params: { upstream_id: upstreamIds[0]! } })
const page = await client.call(routes.listUpstreams, { params: { workspace_id: workspaceId } })
if (page.data.length !== 20 || page.meta.total !== rows) throw new Error(`a page of ${page.data.length} out of ${page.meta.total}`)
await using bareRoute = await runBareRoute({ one, page })
const bare: Store = { ...sqlite, ...bareRoute, name: 'bare route' }
const stores: Store[] = [sqlite, onPostgres]
let requests = 0

// V8 goes on optimising for some 20,000 requests.
for (const target of [bare, ...stores]) await send(target, many, asksOf(target, get, 20_000))
holdProcessor(await compare(get, [bare, ...stores]))
for (const operation of [listFirst, listMiddle]) {
  const figures = await compare(operation, [bare, ...stores])
  holdProcessor(figures)
  for (const store of stores) verdict(`${store.name}, p99`, percentile(figures.get(store)!.waits, 0.99), 10, 'ms')
}
await listAfterChanges()
for (const operation of [create, patch]) await compare(operation, [bare, ...stores])
await showCommits()
await compare(signIn, stores)
await showHashes()

/** Sends an operation to its targets in turns, and shows what it took each. */
async function compare(operation: Operation, targets: Store[]): Promise<Map<Store, Figures>> {
  const seen = new Map(targets.map((target) => [target, [] as Round[]]))
  // The first round warms up what is this operation's own.
  for (let round = 0; round <= rounds; round++) {
    for (const [target, outcomes] of seen) {
      const loaded = await send(target, many, asksOf(target, operation, operation.counts.many))
      const alone = await send(target, 1, asksOf(target, operation, operation.counts.one))
      if (round > 0) outcomes.push({ loaded, alone })
    }
  }
  const figures = new Map([...seen].map(([target, outcomes]) => [target, figuresOf(outcomes)]))
  console.log(`${operation.name}: ${figures.get(targets[0]!)!.bytes} bytes`)
  for (const [target, { perSecond, processor, waits, loadedWaits }] of figures) {
    const show = (samples: number[]) => `p50 ${rounded(percentile(samples, 0.5))} ms, p99 ${rounded(percentile(samples, 0.99))} ms`
    console.log(
      `  ${target.name}: one at a time ${show(waits)}; ${many} at a time ${perSecond.toFixed(0)} requests/s, processor ${rounded(processor)} ms each, ${show(loadedWaits)}`,
    )
  }
  return figures
}

function asksOf(target: Store, { ask }: Operation, count: number): Ask[] {
  return Array.from({ length: count }, () => ask(target, ++requests))
}

function holdProcessor(figures: Map<Store, Figures>): void {
  for (const store of stores) {
    const ratio = figures.get(store)!.processor / figures.get(bare)!.processor
    verdict(`${store.name}, processor beside the bare route`, ratio, 2, '×')
  }
}

interface Round {
  loaded: Outcome
  alone: Outcome
}

type Figures = ReturnType<typeof figuresOf>

function figuresOf(outcomes: Round[]) {
  const loadedWaits = outcomes.flatMap(({ loaded }) => loaded.waits)
  const total = (of: (outcome: Outcome) => number) => outcomes.reduce((sum, { loaded }) => sum + of(loaded), 0)
  return {
    perSecond: (loadedWaits.length / total(({ took }) => took)) * 1000,
    processor: total(({ processor }) => processor) / loadedWaits.length,
    bytes: Math.round(total(({ bytes }) => bytes) / loadedWaits.length),
    loadedWaits,
    waits: outcomes.flatMap(({ alone }) => alone.waits),
  }
}

/** A list knows its total until something changes, so the first one after a change is the dearest. */
async function listAfterChanges(): Promise<void> {
  console.log('list, each time after a change')
  for (const store of stores) {
    const asks = Array.from({ length: 400 }, (_, index) => (index % 2 === 0 ? patch : listFirst).ask(store, ++requests))
    const { waits } = await send(store, 1, asks)
    const lists = waits.filter((_, index) => index % 2 === 1)
    console.log(`  ${store.name}: p50 ${rounded(percentile(lists, 0.5))} ms`)
    verdict(`${store.name}, p99`, percentile(lists, 0.99), 10, 'ms')
  }
}

/** What a write cannot do without. */
async function showCommits(): Promise<void> {
  const locations = { SQLite: join(directory.path, 'commits.db'), PostgreSQL: await postgres.createDatabase() }
  for (const [name, location] of Object.entries(locations)) {
    await using db = await connect(location, { log: pino({ level: 'silent' }) })
    await sql`create table commits (doc text)`.execute(db)
    const took = await timed(200, () => sql`insert into commits values (${JSON.stringify(one)})`.execute(db))
    console.log(`  for comparison, one row inserted and committed in ${name}: p50 ${rounded(percentile(took, 0.5))} ms`)
  }
}

/** What a sign-in cannot do without. */
async function showHashes(): Promise<void> {
  const took = await timed(100, () => hashPassword(administrator.password))
  console.log(`  for comparison, Argon2id alone: p50 ${rounded(percentile(took, 0.5))} ms, p99 ${rounded(percentile(took, 0.99))} ms`)
}

async function timed(count: number, work: () => Promise<unknown>): Promise<number[]> {
  const took: number[] = []
  for (let index = 0; index < count; index++) {
    const start = performance.now()
    await work()
    took.push(performance.now() - start)
  }
  return took
}

async function filledMaster(name: string, settings: string[]) {
  const data = join(directory.path, name)
  const upstreamIds = await fill(data, settings)
  return { ...(await runMaster(data, [...counted, ...settings])), name, upstreamIds }
}

/** Makes the upstreams as if one had come after another, in one change of the master's own: by requests it takes minutes. */
async function fill(data: string, settings: string[]): Promise<string[]> {
  await using started = await startTestMaster(data, settings)
  const { ctx } = started.master
  const { workspaceId: workspace_id } = started
  const first = ctx.now() - rows
  const bodies = Array.from({ length: rows }, (_, index) => {
    const at = timestamp({ now: () => first + index })
    return { id: uuidv7(first + index), workspace_id, ...upstreamInput.parse(upstream(index)), created_at: at, updated_at: at }
  })
  const actor = { user_id: '', email: administrator.email, credential: { kind: 'session', id: '' }, must_change_password: false } as const
  await changeConfig(ctx, actor, workspace_id, async ({ db }) => {
    for (const body of bodies) await insertDocument(db, 'upstreams', body)
    const changes = bodies.flatMap((body) => created('upstream', body).changes)
    return { result: undefined, changes, summary: `created ${rows} upstreams` }
  })
  // PostgreSQL does so by itself, within a minute.
  if (engineOf(ctx.db) === 'postgres') await sql`vacuum analyze`.execute(ctx.db)
  return bodies.map((body) => body.id)
}

function list(number: number): Operation {
  return {
    name: `list 20 of ${rows} upstreams, page ${number}`,
    counts: { many: 800, one: 300 },
    ask: ({ workspaceId: id }) => ({ method: 'GET', path: `/workspaces/${id}/upstreams?page=${number}&per_page=20` }),
  }
}

function upstream(number: number) {
  return {
    name: `service-${String(number).padStart(6, '0')}`,
    algorithm: 'least_connections' as const,
    servers: servers(number),
    health_check: { enabled: true, path: '/healthz' },
    keepalive_connections: 16,
  }
}

// All of one length, so that all answers are.
function servers(number: number) {
  const host = `10.0.${100 + (Math.floor(number / 100) % 100)}.${100 + (number % 100)}`
  return [8080, 8081, 8082].map((port) => ({ address: `${host}:${port}` }))
}

// Spread over the table: a prime goes through every row before it comes back to one.
function anyOf<T>(items: T[], number: number): T {
  return items[(number * 7919) % items.length]!
}
