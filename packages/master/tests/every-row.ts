import type { Kysely } from 'kysely'
import { tablesInOrder } from '../src/backup.ts'
import type { Database } from '../src/db/schema.ts'

/** All that a database holds, table by table, in an order that does not depend on the engine. */
export async function everyRow(db: Kysely<Database>): Promise<Record<string, object[]>> {
  const content: Record<string, object[]> = {}
  for (const { name, columns } of await tablesInOrder(db)) {
    const rows = await db
      .selectFrom(name as 'users')
      .selectAll()
      .execute()
    const texts = rows.map((row) => JSON.stringify(columns.toSorted().map((column) => [column, row[column as 'id']])))
    content[name] = texts.toSorted().map((text) => Object.fromEntries(JSON.parse(text) as [string, unknown][]))
  }
  return content
}
