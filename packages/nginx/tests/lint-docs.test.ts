import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const rules = fileURLToPath(new URL('../src/lint/', import.meta.url))
const page = fileURLToPath(new URL('../../../docs/findings.md', import.meta.url))

test('docs/findings.md has every code with its severity, and no other', () => {
  const sources = readdirSync(rules).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
  const told = sources
    .flatMap((file) => [...readFileSync(rules + file, 'utf8').matchAll(/severity: '(\w+)',\s+code: '(\w+)'/g)])
    .map(([, severity, code]) => `${code} ${severity}`)
  const rows = [...readFileSync(page, 'utf8').matchAll(/^\| (`[a-z_`, ]+) \| ([a-z, ]+) \|/gm)].flatMap(
    ([, codes = '', severities = '']) => {
      const words = severities.split(', ')
      return codes.split(', ').map((code, at) => `${code.replaceAll('`', '')} ${words[at] ?? words[0]}`)
    },
  )
  expect(told.length).toBeGreaterThan(20)
  expect(rows.sort()).toEqual(told.sort())
})
