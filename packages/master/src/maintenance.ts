import { access, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kysely } from 'kysely'
import { pino } from 'pino'
import { backUp } from './backup.ts'
import type { Asked, Config } from './config.ts'
import { connect, describe, isPostgres, migrate } from './db/open.ts'
import type { Database } from './db/schema.ts'
import { restore } from './restore.ts'
import { openSecrets } from './secrets.ts'
import { databaseOf } from './start.ts'

export type Maintenance = Extract<Asked, { kind: 'migrate' | 'backup' | 'restore' }>

/** Does what is done to a database beside serving it; returns what to tell the person who asked. */
export async function runMaintenance(asked: Maintenance): Promise<string> {
  const { config } = asked
  const location = databaseOf(config)
  await requirePlace(asked.kind, location, config)
  const log = pino({ level: config['log-level'], base: null }, pino.destination({ fd: 2, sync: true }))
  await using stack = new AsyncDisposableStack()
  const db = stack.adopt(await connect(location, { log }), (opened) => opened.destroy())
  switch (asked.kind) {
    case 'migrate': {
      const applied = await migrate(db)
      return applied.length === 0 ? 'the schema is up to date' : `the schema is up to date now: ${applied.join(', ')}`
    }
    case 'backup': {
      const { rows, tables } = await backUp(db, asked.file, Date.now)
      return `backed up ${rows} rows of ${tables} tables from ${describe(location)} to ${asked.file}; keep ${keyFile(config)} too, it opens the keys in it`
    }
    case 'restore': {
      const { rows } = await restore(db, asked.file, asked.replace)
      return [`restored ${rows} rows from ${asked.file} to ${describe(location)}`, ...(await keyTrouble(db, config))].join('\n')
    }
    default:
      return asked satisfies never
  }
}

async function requirePlace(kind: Maintenance['kind'], location: string, config: Config): Promise<void> {
  if (isPostgres(location)) return
  if (kind === 'backup') await access(location).catch(() => Promise.reject(new Error(`there is no database at ${location}`)))
  else await mkdir(config['data-dir'], { recursive: true, mode: 0o700 })
}

function keyFile(config: Config): string {
  return config['secret-key-file'] ?? join(config['data-dir'], 'secret.key')
}

// The keys in a backup stay sealed; a master without the key that opens them could not start.
async function keyTrouble(db: Kysely<Database>, config: Config): Promise<string[]> {
  const file = keyFile(config)
  const sealed = await db.selectFrom('keys').select('private_pem').executeTakeFirst()
  if (!sealed) return []
  try {
    await readFile(file)
    const secrets = await openSecrets(file, false)
    secrets.open(sealed.private_pem)
    return []
  } catch (error) {
    return [`before a master starts: put the secret key of the former installation at ${file} (${(error as Error).message})`]
  }
}
