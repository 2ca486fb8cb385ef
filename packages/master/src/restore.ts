import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import type { Kysely, Transaction } from 'kysely'
import type { Header, Line, Value } from './backup.ts'
import { tablesInOrder } from './backup.ts'
import { migrations } from './db/migrations/index.ts'
import { migrate } from './db/open.ts'
import { databaseTime, dropEverything } from './db/portable.ts'
import type { Database } from './db/schema.ts'

const mostValues = 10_000
const presence = 30

/**
 * Fills a database from a backup in one transaction: all of it or nothing. The schema is made as the backup knew it and then
 * brought up to date. A database that holds something is refused unless it is to be replaced. Returns how many rows.
 */
export async function restore(db: Kysely<Database>, file: string, replace: boolean): Promise<{ rows: number }> {
  return db.transaction().execute(async (trx) => {
    await refuseInhabited(trx, replace)
    const lines = readLines(file)
    const header = await readHeader(lines, file)
    await dropEverything(trx, (await tablesInOrder(trx)).map((table) => table.name).toReversed())
    await migrate(trx, header.migrations.at(-1))
    const rows = await insertAll(trx, lines, file)
    await migrate(trx)
    await trx.deleteFrom('masters').execute()
    return { rows }
  })
}

async function refuseInhabited(db: Transaction<Database>, replace: boolean): Promise<void> {
  const names = (await db.introspection.getTables()).map((table) => table.name)
  if (names.includes('masters')) {
    const master = await db.selectFrom('masters').select('id').where('seen_at', '>', databaseTime(db, -presence)).executeTakeFirst()
    if (master) throw new Error(`a master works on this database, or did in the last ${presence} seconds; stop it first`)
  }
  if (replace) return
  for (const { name } of await tablesInOrder(db)) {
    const found = await db
      .selectFrom(name as keyof Database)
      .select((eb) => eb.lit(1).as('one'))
      .limit(1)
      .executeTakeFirst()
    if (found) throw new Error(`the database is not empty: there are ${name}; --replace puts the backup in the place of all it holds`)
  }
}

async function readHeader(lines: AsyncIterator<Line>, file: string): Promise<Header> {
  const { value } = await lines.next()
  const header = value as Header | undefined
  if (header?.format !== 'nxmesh-backup') throw new Error(`${file} is not a backup of nxmesh-master`)
  const known = Object.keys(migrations)
  if (header.format_version !== 1 || header.migrations.some((name, index) => known[index] !== name)) {
    throw new Error(`${file} was written by a newer version of this program`)
  }
  return header
}

async function insertAll(db: Transaction<Database>, lines: AsyncGenerator<Line>, file: string): Promise<number> {
  let rows = 0
  let table: { table: string; columns: string[] } | undefined
  let batch: Value[][] = []
  let ended: { rows: number } | undefined

  async function flush() {
    if (!table || batch.length === 0) return
    const { columns } = table
    const values = batch.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index]])))
    try {
      await db
        .insertInto(table.table as 'users')
        .values(values as never)
        .execute()
    } catch (error) {
      throw new Error(`${file} cannot be restored: ${table.table}: ${(error as Error).message}`, { cause: error })
    }
    rows += batch.length
    batch = []
  }

  for await (const line of lines) {
    if (Array.isArray(line)) {
      batch.push(line)
      if ((batch.length + 1) * line.length > mostValues) await flush()
    } else if ('table' in line) {
      await flush()
      table = line
    } else if ('end' in line) {
      await flush()
      ended = line
    }
  }
  if (ended?.rows !== rows) throw new Error(`${file} is not whole: ${ended ? `${rows} of ${ended.rows} rows` : 'its end is missing'}`)
  return rows
}

async function* readLines(file: string): AsyncGenerator<Line> {
  const source = createReadStream(file)
  const plain = createGunzip().setEncoding('utf8')
  // The lines end with the error, whichever of the two it comes from.
  source.on('error', (error) => plain.destroy(error))
  source.pipe(plain)
  let line = ''
  try {
    for await (const chunk of plain as AsyncIterable<string>) {
      const [first = '', ...others] = chunk.split('\n')
      line += first
      for (const next of others) {
        yield JSON.parse(line) as Line
        line = next
      }
    }
  } catch (error) {
    const { syscall, message } = error as NodeJS.ErrnoException
    throw new Error(`${file} ${syscall === undefined ? 'is not a whole backup' : 'cannot be read'}: ${message}`, { cause: error })
  } finally {
    source.destroy()
    plain.destroy()
  }
}
