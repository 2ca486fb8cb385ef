import { execFile } from 'node:child_process'
import { copyFile, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync, gzipSync } from 'node:zlib'
import { routes } from '@nxmesh/api/routes'
import { startTestMaster } from '@nxmesh/testkit/master'
import { type Postgres, startPostgres } from '@nxmesh/testkit/postgres'
import { scratch } from '@nxmesh/testkit/scratch'
import type { Kysely } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { backUp } from '../src/backup.ts'
import { migrations } from '../src/db/migrations/index.ts'
import { connect, migrate } from '../src/db/open.ts'
import type { Database } from '../src/db/schema.ts'
import { restore } from '../src/restore.ts'
import { everyRow } from './every-row.ts'
import { insertRows } from './schema-rows.ts'

const stack = new AsyncDisposableStack()
const main = new URL('../src/main.ts', import.meta.url).pathname
const latest = Object.keys(migrations)
let postgres: Postgres
let directory: string
let counter = 0
const fresh = (name: string) => join(directory, `${counter++}-${name}`)

beforeAll(async () => {
  postgres = stack.use(await startPostgres())
  directory = stack.use(await scratch()).path
})

afterAll(() => stack.disposeAsync())

/** Runs the program as its users do. */
async function run(...args: string[]): Promise<{ code: number; output: string }> {
  const ran = await promisify(execFile)(process.execPath, [main, ...args]).catch(
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
  return { code: 'code' in ran ? ran.code : 0, output: `${ran.stdout}${ran.stderr}` }
}

/** The location of a data directory's embedded database. */
const fileIn = (dataDir: string) => join(dataDir, 'nxmesh.db')

async function at<T>(location: string, work: (db: Kysely<Database>) => Promise<T>): Promise<T> {
  const db = await connect(location, { log: pino({ level: 'silent' }) })
  try {
    return await work(db)
  } finally {
    await db.destroy()
  }
}

const contentOf = (location: string) => at(location, everyRow)

/** Makes a database of the newest schema with rows in every table. */
function fill(location: string): Promise<void> {
  return at(location, async (db) => {
    await migrate(db)
    for (const name of latest) await insertRows(db, name)
  })
}

test('SQLite to PostgreSQL and back: every row is the same', async () => {
  const first = fresh('first')
  await run('migrate', '--data-dir', first)
  await fill(fileIn(first))
  const content = await contentOf(fileIn(first))
  expect(Object.entries(content).filter(([, rows]) => rows.length === 0)).toEqual([])

  const [one, two] = [fresh('one.gz'), fresh('two.gz')]
  const backup = await run('backup', one, '--data-dir', first)
  expect(backup).toEqual({ code: 0, output: expect.stringMatching(/^backed up \d+ rows of \d+ tables .*secret\.key/) })
  expect((await stat(one)).mode & 0o777).toBe(0o600)
  const database = await postgres.createDatabase()
  expect(await run('restore', one, '--database', database, '--data-dir', fresh('keys'))).toMatchObject({ code: 0 })
  expect(await contentOf(database)).toEqual(content)

  expect(await run('backup', two, '--database', database, '--data-dir', fresh('keys'))).toMatchObject({ code: 0 })
  const second = fresh('second')
  const restored = await run('restore', two, '--data-dir', second)
  expect(restored).toEqual({
    code: 0,
    output: expect.stringMatching(/^restored \d+ rows[^]*put the secret key of the former installation at/),
  })
  expect(await contentOf(fileIn(second))).toEqual(content)
})

test('a backup of each earlier schema is restored and brought up to date', async () => {
  for (const [index] of latest.slice(0, -1).entries()) {
    const location = await postgres.createDatabase()
    const file = fresh('old.gz')
    await at(location, async (db) => {
      for (const name of latest.slice(0, index + 1)) {
        await migrate(db, name)
        await insertRows(db, name)
      }
      await backUp(db, file, Date.now)
    })
    await at(fresh('restored.db'), async (db) => {
      await restore(db, file, false)
      const content = await everyRow(db)
      for (const [table, rows] of Object.entries(await at(location, everyRow))) {
        // A release may bring rules of its own.
        const kept = rows.map((row) => expect.objectContaining(row))
        expect(content[table], table).toEqual(table === 'alert_rules' ? expect.arrayContaining(kept) : kept)
      }
    })
  }
})

test('a master goes on from a restored backup, with the secret key; the backup is taken beside the one that serves', async () => {
  const [before, after] = [fresh('before'), fresh('after')]
  const file = fresh('live.gz')
  const hosts = 12
  let organizationId: string
  {
    await using master = await startTestMaster(before)
    organizationId = master.organizationId
    const params = { workspace_id: master.workspaceId }
    const create = (index: number) =>
      master.client.call(routes.createVirtualHost, { params, body: { name: `h${index}`, server_name: `h${index}.test`, listen_port: 80 } })
    for (let index = 0; index < hosts; index++) await create(index)
    let writing = true
    let extra = 0
    const writer = (async () => {
      while (writing) await create(1000 + extra++)
    })()
    expect(await run('backup', file, '--data-dir', before)).toMatchObject({ code: 0 })
    writing = false
    await writer
    expect(extra).toBeGreaterThan(0)
    const text = gunzipSync(await readFile(file)).toString()
    expect(text).not.toMatch(/BEGIN (RSA |EC )?PRIVATE KEY/)
  }
  const database = await postgres.createDatabase()
  expect(await run('restore', file, '--data-dir', after, '--database', database)).toMatchObject({ code: 0 })
  const keyless = await run('--data-dir', after, '--database', database, '--http', '127.0.0.1:0', '--agents', '127.0.0.1:0')
  expect(keyless).toMatchObject({ code: 1, output: expect.stringContaining('is not the secret key') })
  await copyFile(join(before, 'secret.key'), join(after, 'secret.key'))
  await using master = await startTestMaster(after, ['--database', database])
  expect(master.organizationId).toBe(organizationId)
  const params = { workspace_id: master.workspaceId }
  const { meta } = await master.client.call(routes.listVirtualHosts, { params })
  expect(meta.total).toBeGreaterThanOrEqual(hosts)
  // One moment: as many versions as hosts.
  expect((await master.client.call(routes.getWorkspace, { params })).config_version).toBe(meta.total)
  expect(await run('restore', file, '--replace', '--database', database)).toMatchObject({
    code: 1,
    output: expect.stringContaining('a master works on this database'),
  })
})

test('what holds something is left alone, unless it is to be replaced', async () => {
  const [source, file] = [fresh('source.db'), fresh('backup.gz')]
  await fill(source)
  await at(source, (db) => backUp(db, file, Date.now))
  for (const settings of [
    ['--data-dir', fresh('sqlite')],
    ['--data-dir', fresh('pg'), '--database', await postgres.createDatabase()],
  ]) {
    const location = settings[3] ?? fileIn(settings[1]!)
    expect(await run('restore', file, ...settings)).toMatchObject({ code: 0 })
    await at(location, (db) => db.updateTable('organizations').set({ name: 'Changed since' }).execute())
    const changed = await contentOf(location)
    const refused = await run('restore', file, ...settings)
    expect(refused).toMatchObject({ code: 1, output: expect.stringMatching(/is not empty: there are \w+; --replace/) })
    expect(await contentOf(location)).toEqual(changed)
    expect(await run('restore', file, '--replace', ...settings)).toMatchObject({ code: 0 })
    expect(await contentOf(location)).toEqual(await contentOf(source))
  }
})

test('a backup that is cut short, changed or something else is refused, and nothing is changed', async () => {
  const [source, file, short] = [fresh('source.db'), fresh('backup.gz'), fresh('short.gz')]
  await fill(source)
  await at(source, (db) => backUp(db, file, Date.now))
  const whole = await readFile(file)
  await writeFile(short, whole.subarray(0, -20))
  const lines = gunzipSync(whole).toString().trimEnd().split('\n')
  const header = JSON.parse(lines[0]!) as { migrations: string[] }
  async function variant(of: string[]): Promise<string> {
    const path = fresh('variant.gz')
    await writeFile(path, gzipSync(`${of.join('\n')}\n`))
    return path
  }
  const variants: Record<string, RegExp> = {
    [short]: /is not a whole backup/,
    [await variant(lines.slice(0, -1))]: /is not whole: its end is missing/,
    [await variant(lines.toSpliced(-2, 1))]: /is not whole: \d+ of \d+ rows/,
    [await variant([...lines.slice(0, 3), lines[2]!, ...lines.slice(3)])]: /cannot be restored: \w+: /,
    [await variant(['{"format":"something"}'])]: /is not a backup of nxmesh-master/,
    [await variant([JSON.stringify({ ...header, migrations: [...header.migrations, '9999-later'] })])]: /was written by a newer version/,
    [fresh('absent.gz')]: /cannot be read/,
  }
  const database = await postgres.createDatabase()
  await fill(database)
  for (const location of [source, database]) {
    await at(location, async (db) => {
      await db.deleteFrom('masters').execute()
      const before = await everyRow(db)
      for (const [damaged, reason] of Object.entries(variants)) await expect(restore(db, damaged, true)).rejects.toThrow(reason)
      expect(await everyRow(db)).toEqual(before)
    })
  }
})

test('a file that exists is not written over, and there must be a database', async () => {
  const source = fresh('source')
  await run('migrate', '--data-dir', source)
  const file = fresh('taken.gz')
  await writeFile(file, 'mine')
  expect(await run('backup', file, '--data-dir', source)).toMatchObject({ code: 1, output: expect.stringContaining('exists already') })
  expect(await readFile(file, 'utf8')).toBe('mine')
  const nowhere = await run('backup', fresh('x.gz'), '--data-dir', fresh('nowhere'))
  expect(nowhere).toMatchObject({ code: 1, output: expect.stringContaining('there is no database at') })
})

test.each([
  [['backup'], /backup needs the name of a file/],
  [['back'], /there is no command "back"/],
  [['migrate', 'x'], /there is no command "migrate x"/],
  [['--replace'], /--replace goes with restore/],
  [['--database', 'mysql://x:hunter2@y/z'], /^--database \(NXMESH_DATABASE\): must be an address that begins with postgres:\/\//],
])('%j is refused with code 2', async (args, reason) => {
  const refused = await run(...args)
  expect(refused).toMatchObject({ code: 2, output: expect.stringMatching(reason) })
  expect(refused.output).not.toContain('hunter2')
})
