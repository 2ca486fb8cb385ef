import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { filesWithin } from './commit.ts'
import { expositionOf, type Series } from './exposition.ts'
import type { Store } from './open-store.ts'
import type { Exposition } from './query.ts'
import { quoted } from './schema.ts'
import type { Ask } from './sql.ts'
import { type KeptCounter, rowsSince } from './state.ts'

const compress = promisify(gzip)
// Prometheus reads it many times an hour.
const level = 1
// An agent that has been silent for longer has nothing to say about now.
const silentAfter = 300_000
// By their own clocks, which may be wrong, rows are looked for further back.
const clocksDiffer = 86_400_000

/** The head and what agents measured last, compressed by gzip: counters as they stand, and gauges of the last five minutes. */
export async function readExposition(store: Store, ask: Ask, query: Exposition): Promise<Uint8Array> {
  return compress(query.head + (await measured(store, ask, query)), { level })
}

async function measured(store: Store, ask: Ask, { labels, taken, now }: Exposition): Promise<string> {
  const since = rowsSince(now - silentAfter)
  const parts = filesWithin(store, 'samples', now - silentAfter - clocksDiffer, Number.MAX_SAFE_INTEGER).map(
    ({ name }) => `SELECT agent, seq, name, labels, value, began FROM ${quoted(name)}.samples WHERE seq >= ${since}`,
  )
  if (parts.length === 0) return ''
  const rows = await ask(
    `SELECT agent::VARCHAR AS agent, name, labels, arg_max(value, seq) AS value, began IS NULL AS gauge
     FROM (${parts.join(' UNION ALL ')}) GROUP BY agent, name, labels, began IS NULL`,
    {},
  )
  const gauges = rows
    .filter(({ gauge }) => gauge)
    .map(({ agent, name, labels, value }) => ({ agent, name, labels, value, isCounter: false }) as Series)
  const heard = new Set(rows.map(({ agent }) => String(agent)))
  const counters = countersOf(store.state.counters.values(), heard)
  const known = new Map([...labels].filter(([agent]) => heard.has(agent)))
  return expositionOf([...gauges, ...counters], known, new Set(taken))
}

// A spool that is gone counts no more; the one after it began from zero.
function countersOf(counters: Iterable<KeptCounter>, heard: ReadonlySet<string>): Series[] {
  const own = [...counters].filter(({ agent }) => heard.has(agent))
  const newest = new Map<string, KeptCounter>()
  for (const counter of own) if ((newest.get(counter.agent)?.seq ?? -1) < counter.seq) newest.set(counter.agent, counter)
  return own.filter(({ agent, spool }) => newest.get(agent)!.spool === spool).map((counter) => ({ ...counter, isCounter: true }))
}
