// Writes who may call which route into docs/access.md: npm run access.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withAccessTable } from './src/access-table.ts'

const file = join(import.meta.dirname, '..', '..', 'docs', 'access.md')
writeFileSync(file, withAccessTable(readFileSync(file, 'utf8')))
