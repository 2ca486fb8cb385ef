import { type Postgres, startPostgres } from './postgres.ts'

export interface Store {
  name: 'SQLite' | 'PostgreSQL'
  /** Starts what the store needs; for the `beforeAll` of a suite that runs on it. */
  open(): Promise<OpenStore>
}

export interface OpenStore extends AsyncDisposable {
  /** The settings that give a master an empty database of its own. */
  settings(): Promise<string[]>
}

/** The stores that a master can keep its data in: what touches the database is tested on each. */
export const stores: Store[] = [
  { name: 'SQLite', open: async () => ({ settings: async () => [], [Symbol.asyncDispose]: async () => undefined }) },
  { name: 'PostgreSQL', open: async () => onPostgres(await startPostgres()) },
]

function onPostgres(postgres: Postgres): OpenStore {
  return {
    settings: async () => ['--database', await postgres.createDatabase()],
    [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose](),
  }
}
