import { type Allowed, everything, inMail, inStreams } from '../directive-rules.ts'
import { type Level, type ReadStatement, readExtra, readStatement, type Statement } from './custom-directives.ts'

/** A statement of a user with the field that it comes from, seen from the object that holds it. */
export interface CustomStatement extends Statement {
  field: string
}

/** What a user wrote for one level: the statements in order, and their names. */
export interface CustomStatements {
  names: ReadonlySet<string>
  statements: readonly CustomStatement[]
}

const none: CustomStatements = { names: new Set(), statements: [] }

interface Directives {
  custom_directives: Readonly<Record<string, string>>
  extra_directives?: readonly string[] | undefined
}

/**
 * Reads the directives of one level, the extra ones last; those that cannot be written are told to `refuse` and left out. What a
 * workspace allows beyond the rest was asked where it was written down.
 */
export function readCustomDirectives(
  { custom_directives, extra_directives = [] }: Directives,
  level: Level,
  refuse: (field: string, message: string) => void,
  allowed: Allowed = everything,
): CustomStatements {
  const statements: CustomStatement[] = []
  const take = (field: string, read: ReadStatement) => {
    if (read.ok) statements.push({ ...read.statement, field })
    else refuse(field, read.message)
  }
  const own = level === 'stream_host' ? level : 'custom'
  // What runs in streams and mail servers is not asked of any workspace.
  const may = level === 'mail' ? inMail : level === 'stream' || level === 'stream_host' ? inStreams : allowed
  for (const name in custom_directives) {
    if (Object.hasOwn(custom_directives, name)) take(`custom_directives.${name}`, readStatement(name, custom_directives[name]!, own, may))
  }
  for (const [at, text] of extra_directives.entries()) take(`extra_directives.${at}`, readExtra(text, level, may))
  return statements.length === 0 ? none : { names: new Set(statements.map(({ name }) => name)), statements }
}
