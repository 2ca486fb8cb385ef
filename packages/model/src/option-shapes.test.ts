import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { optionSamples } from '@nxmesh/testkit/options'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { optionShapes } from './gen/option-shapes.ts'
import { optionShapesText } from './option-shapes-text.ts'
import { optionsOf } from './options.ts'
import { misfits } from './shape.ts'

type Place = keyof typeof optionsOf

test('gen/option-shapes.ts is what npm run options makes', () => {
  expect(readFileSync(join(import.meta.dirname, 'gen', 'option-shapes.ts'), 'utf8') === optionShapesText(), 'run npm run options').toBe(
    true,
  )
})

test('a misfit is told by its path', () => {
  const options = {
    access: { rules: [{ action: 'ask', address: 'all' }], order: 1 },
    limit_req: { rate: '1r/s', burst: 1.5, nodelay: false },
    static: { assets: [] },
  }
  expect(misfits(optionShapes.server, options).toSorted()).toEqual([
    'access.order',
    'access.rules.0.action',
    'limit_req.burst',
    'limit_req.dry_run',
    'static',
  ])
})

const places = Object.keys(optionsOf) as Place[]
const samples = places.flatMap((place) =>
  Object.entries(optionSamples[place]).flatMap(([name, values]) =>
    (values as unknown[]).map((value) => ({ place, value: { [name]: value } })),
  ),
)
const strange = fc.oneof(
  fc.jsonValue({ maxDepth: 1 }),
  fc.integer(),
  fc.constantFrom('', 'off', 'all; allow all', '10.0.0.0/8', '1r/s; }', '\n', '__proto__', undefined),
)
const altered = fc
  .record({ sample: fc.constantFrom(...samples), at: fc.nat(), strange })
  .map(({ sample: { place, value }, at, strange: instead }) => ({ place, value: alter(structuredClone(value), at, instead) }))

test('what the schema of a place makes of its options fits the shape, and what it refuses does not', () => {
  fc.assert(
    fc.property(altered, ({ place, value }) => {
      const read = optionsOf[place].safeParse(value)
      // What only a function knows, such as whether a rule can be reached, is the master's to see.
      if (read.error?.issues.every(({ code }) => code === 'custom')) return
      expect(misfits(optionShapes[place], read.success ? read.data : value).length === 0).toBe(read.success)
    }),
    { numRuns: 5000 },
  )
})

/** A value with one of its members, however deep, replaced by something strange; `undefined` takes it away. */
function alter(value: object, at: number, strange: unknown): unknown {
  const members = membersOf(value)
  const { within, name } = members[at % members.length]!
  if (strange === undefined) delete within[name]
  else within[name] = strange
  return JSON.parse(JSON.stringify(value))
}

function membersOf(value: object): { within: Record<string, unknown>; name: string }[] {
  const within = value as Record<string, unknown>
  return Object.entries(value).flatMap(([name, member]) => [
    { within, name },
    ...(typeof member === 'object' && member !== null ? membersOf(member) : []),
  ])
}
