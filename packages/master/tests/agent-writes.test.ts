import type { Kysely } from 'kysely'
import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { openAgentWrites } from '../src/agent-writes.ts'
import type { Database } from '../src/db/schema.ts'
import { startHarness, until } from './link-harness.ts'

const log = pino({ level: 'silent' })
const holder = { masterId: 'this', onLost: () => undefined, onApplied: () => undefined, onTold: () => undefined, now: Date.now }

/** The beat of the writes that are opened from now on comes when it is told to. */
function heldBeat() {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  return { pass: () => vi.advanceTimersByTime(1000), [Symbol.dispose]: () => void vi.useRealTimers() }
}

/** A database that counts its transactions and fails as many of the next as it is told to. */
function counting(db: Kysely<Database>) {
  const seen = { transactions: 0, failures: 0 }
  const counted = new Proxy(db, {
    get(target, name) {
      if (name !== 'transaction') return Reflect.get(target, name) as unknown
      return () => {
        seen.transactions++
        if (seen.failures-- > 0) return { execute: () => Promise.reject(new Error('disk full')) }
        return target.transaction()
      }
    },
  })
  return { db: counted, seen }
}

test('a thousand changes take a handful of transactions, and the last word on each agent is written', async () => {
  await using mesh = await startHarness()
  const { db, seen } = counting(mesh.ctx.db)
  await using writes = openAgentWrites(db, log, holder)
  const agents = await Promise.all(Array.from({ length: 1000 }, () => mesh.agentToken()))
  for (const { id } of agents) writes.hold(await mesh.row(id))
  for (const status of ['pending', 'applying', 'success']) {
    for (const { id } of agents) writes.change(id, { config_status: status, connected: 1 })
  }
  await writes.flush()
  expect(seen.transactions).toBeLessThanOrEqual(5)
  const rows = await mesh.ctx.db.selectFrom('agents').select(['config_status', 'state']).execute()
  expect(new Set(rows.map((row) => `${row.config_status} ${row.state}`))).toEqual(new Set(['success online']))
})

test('a lone change is written at once, a patient one with the beat, and one that changes the state does not wait', async () => {
  await using mesh = await startHarness()
  using beat = heldBeat()
  await using writes = openAgentWrites(mesh.ctx.db, log, holder)
  const { id } = await mesh.agentToken()
  writes.hold(await mesh.row(id))
  writes.change(id, { connected: 1 })
  await until('connected', async () => (await mesh.row(id)).state === 'online')
  writes.change(id, { last_seen_at: 'later' }, 'soon')
  expect((await mesh.row(id)).last_seen_at).toBeNull()
  expect(writes.facts(id)?.last_seen_at).toBe('later')
  beat.pass()
  await until('the beat', async () => (await mesh.row(id)).last_seen_at === 'later')
  writes.change(id, { drift: 'files differ' }, 'soon')
  await writes.flush(id)
  expect(await mesh.row(id)).toMatchObject({ state: 'degraded', state_reason: 'files differ' })
})

test('what could not be written is written later, under what came since', async () => {
  await using mesh = await startHarness()
  const { db, seen } = counting(mesh.ctx.db)
  await using writes = openAgentWrites(db, log, holder)
  const { id } = await mesh.agentToken()
  writes.hold(await mesh.row(id))
  seen.failures = 1
  writes.change(id, { hostname: 'old', boot_id: 'kept' })
  await writes.flush(id)
  writes.change(id, { hostname: 'new' }, 'soon')
  writes.release(id)
  expect(writes.facts(id)).toBeDefined()
  await until('written', async () => (await mesh.row(id)).hostname === 'new')
  expect((await mesh.row(id)).boot_id).toBe('kept')
  await until('it is let go', () => writes.facts(id) === undefined)
})

test('events are of the transaction of their facts: a failed one writes none, the next one each once and in order', async () => {
  await using mesh = await startHarness()
  const { db, seen } = counting(mesh.ctx.db)
  using beat = heldBeat()
  await using writes = openAgentWrites(db, log, holder)
  const { id } = await mesh.agentToken()
  const told = async () =>
    (await mesh.ctx.db.selectFrom('events').select(['seq', 'type']).orderBy('seq').execute()).map(({ seq, type }) => `${seq} ${type}`)
  writes.hold(await mesh.row(id))
  seen.failures = 1
  writes.reconnect(id, { connected: 1 }, { began: true })
  await writes.flush(id)
  expect(await told()).toEqual([])
  beat.pass()
  await until('written', async () => (await mesh.row(id)).connected === 1)
  expect(await told()).toEqual(['1 agent.connected', '2 agent.online'])
  writes.change(id, { last_seen_at: 'later' })
  await writes.flush(id)
  await mesh.ctx.db.updateTable('agents').set({ master_id: 'another' }).where('id', '=', id).execute()
  writes.reconnect(id, { connected: 0 }, { ended: 'connection_lost' })
  await writes.flush(id)
  expect(await told()).toEqual(['1 agent.connected', '2 agent.online'])
})
