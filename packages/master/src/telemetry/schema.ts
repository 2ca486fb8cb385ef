import { logRowCells } from '../link/log-rows.ts'

/** The path of a request in SQL. */
export const pathOfUri = `split_part(uri, '?', 1)`

/** How the bytes of a field become a value of its column. */
export type Cell = 'text' | 'integer' | 'number' | 'status'

/** The fields of an access log entry that are kept, by their names on the wire; each is a column. */
export const accessFields = {
  remote_addr: 'text',
  method: 'text',
  uri: 'text',
  protocol: 'text',
  host: 'text',
  status: 'status',
  body_bytes_sent: 'integer',
  response_time_ms: 'number',
  user_agent: 'text',
  referer: 'text',
  request_id: 'text',
  virtual_host: 'text',
  upstream_addr: 'text',
  upstream_status: 'text',
  request_bytes: 'integer',
  bytes_sent: 'integer',
} as const satisfies Record<string, Cell>

export type AccessField = keyof typeof accessFields

const sqlTypes: Record<Cell, string> = { text: 'VARCHAR', integer: 'BIGINT', number: 'DOUBLE', status: 'SMALLINT' }

/** The tables of a day file. Rows are only ever added; there are no keys and no indexes, which DuckDB would have to keep in its log. */
export const tables = {
  access: {
    ts: 'BIGINT',
    seq: 'BIGINT',
    agent: 'UUID',
    ...(Object.fromEntries(Object.entries(accessFields).map(([name, cell]) => [name, sqlTypes[cell]])) as Record<AccessField, string>),
    /** The URI without its arguments, of which there are few enough to be counted quickly. */
    path: 'VARCHAR',
  },
  errors: { ts: 'BIGINT', seq: 'BIGINT', agent: 'UUID', level: 'VARCHAR', message: 'VARCHAR' },
  samples: {
    ts: 'BIGINT',
    seq: 'BIGINT',
    agent: 'UUID',
    spool: 'VARCHAR',
    sequence: 'BIGINT',
    name: 'VARCHAR',
    labels: 'VARCHAR',
    status_class: 'VARCHAR',
    virtual_host: 'VARCHAR',
    value: 'DOUBLE',
    /** By how much a counter rose; null for gauges. */
    increase: 'DOUBLE',
    /** Since when a counter counts; null for gauges. */
    began: 'BIGINT',
  },
  /** Which batches are in here, and at the beginning of a file which were in those before it. */
  batches: { agent: 'UUID', kind: 'VARCHAR', spool: 'VARCHAR', first: 'BIGINT', last: 'BIGINT', at: 'BIGINT' },
  /** Where the counters stood when the file began. */
  counters: {
    agent: 'UUID',
    spool: 'VARCHAR',
    name: 'VARCHAR',
    labels: 'VARCHAR',
    value: 'DOUBLE',
    sequence: 'BIGINT',
    ts: 'BIGINT',
    seq: 'BIGINT',
    began: 'BIGINT',
  },
} as const

export type Table = keyof typeof tables

/** The statements that make an empty file, named in the database as `file`. */
export function creation(file: string): string[] {
  return Object.entries(tables).map(
    ([table, columns]) =>
      `CREATE TABLE IF NOT EXISTS ${quoted(file)}.${table} (${Object.entries(columns)
        .map(([name, type]) => `"${name}" ${type}`)
        .join(', ')})`,
  )
}

/** Adds the rows of a tab-separated file to a table. Requests have their columns in the order of `logRowCells`. */
export function insertion(file: string, table: Table, path: string): string {
  const types: Record<string, string> = tables[table]
  const [, ...fields] = logRowCells
  const names = table === 'access' ? ['ts', 'seq', 'agent', ...fields] : Object.keys(types)
  const columns = names.map((name) => `'${name}': '${types[name]}'`).join(', ')
  const options = `delim='\t', header=false, auto_detect=false, quote='"', escape='"', nullstr=['\\N', ''], allow_quoted_nulls=false, ignore_errors=true`
  const all = table === 'access' ? `*, ${pathOfUri} AS path` : '*'
  return `INSERT INTO ${quoted(file)}.${table} BY NAME SELECT ${all} FROM read_csv(${literal(path)}, ${options}, columns={${columns}})`
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
