import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Logger } from 'pino'
import { isPostgres, type Location } from './db/open.ts'
import { listen } from './db/postgres.ts'
import type { Database } from './db/schema.ts'

/** The other masters of this database. They are told to look, and nothing else: what there is to see is in the rows. */
export interface Peers extends AsyncDisposable {
  tell(what: Look): void
}

/** What there is to look at: what agents must run, or events to pass on. */
export type Look = 'rollout' | 'events'

interface Options {
  location: Location
  masterId: string
  log: Logger
  /** Is called when another master says to look, and after the line to them was lost. */
  onLook: (what: Look) => void
}

const channel = 'nxmesh_look'

/** Opens the line to the other masters, which PostgreSQL keeps for us; an embedded database has no others. */
export function openPeers(db: Kysely<Database>, { location, masterId, log, onLook }: Options): Peers {
  if (!isPostgres(location)) return { tell: () => undefined, [Symbol.asyncDispose]: async () => undefined }
  const line = listen(location, channel, log, (word = '') => {
    const [teller, what] = word.split(' ')
    if (teller === masterId) return
    if (what !== 'events') onLook('rollout')
    if (what !== 'rollout') onLook('events')
  })
  let telling: Promise<void> | undefined
  const waiting = new Set<Look>()

  async function tellAll() {
    for (const what of waiting) {
      waiting.delete(what)
      // A word that is lost costs the others the time until their timers.
      await sql`select pg_notify(${channel}, ${`${masterId} ${what}`})`
        .execute(db)
        .catch((error: unknown) => log.debug({ err: error }, 'peers not told'))
    }
    telling = undefined
  }

  return {
    tell(what) {
      waiting.add(what)
      telling ??= tellAll()
    },
    async [Symbol.asyncDispose]() {
      await telling
      await line[Symbol.asyncDispose]()
    },
  }
}
