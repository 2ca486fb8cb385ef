import type { Compilable, CompiledQuery, Kysely } from 'kysely'
import { engineOf } from './portable.ts'
import type { Database } from './schema.ts'

type Db = Kysely<Database>

/** Where the handle of an embedded database keeps the short way for reads; a transaction has none, as it sees its own writes. */
export const directReads = Symbol('reads beside the writer')

export type DirectReads = (query: CompiledQuery) => unknown[]

/**
 * A query that is built once for each engine and afterwards only given other values: for the few that run with every
 * request, because building one costs several times what SQLite takes to run it. `build` must put each of its values into
 * the query as a parameter and may not look at it.
 */
export function prepared<Values extends unknown[], Row>(
  build: (db: Db, ...values: Values) => Compilable<Row>,
): (db: Db, ...values: Values) => Promise<Row[]> {
  const known: Partial<Record<ReturnType<typeof engineOf>, Built<Row>>> = {}
  return async (db, ...values) => {
    const engine = engineOf(db)
    const { query, order } = (known[engine] ??= compile(db, build, values.length))
    const bound: CompiledQuery<Row> = { ...query, parameters: order.map((index) => values[index]) }
    const read = (db as Db & { [directReads]?: DirectReads })[directReads]
    return read ? (read(bound) as Row[]) : (await db.executeQuery(bound)).rows
  }
}

interface Built<Row> {
  query: CompiledQuery<Row>
  /** Which value each parameter is. */
  order: number[]
}

class Slot {
  readonly index: number
  constructor(index: number) {
    this.index = index
  }
}

// Built with slots in the place of values, which come out among the parameters where each value has to go.
function compile<Values extends unknown[], Row>(db: Db, build: (db: Db, ...values: Values) => Compilable<Row>, count: number): Built<Row> {
  const slots = Array.from({ length: count }, (_, index) => new Slot(index))
  const query = build(db, ...(slots as unknown as Values)).compile()
  const order = query.parameters.map((parameter) => {
    if (!(parameter instanceof Slot)) throw new Error(`a prepared query has a value of its own: ${query.sql}`)
    return parameter.index
  })
  return { query, order }
}
