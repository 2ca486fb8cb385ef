import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { clientMessage, disconnectReasons, type EventType, eventData, eventEnvelope, isOfPattern } from './events.ts'
import { eventExample } from './examples/events.ts'

const types = Object.keys(eventData) as EventType[]
const page = readFileSync(new URL('../../../docs/events.md', import.meta.url), 'utf8')

test.each(types)('the example of %s is one, and stands on the page', (type) => {
  const example = eventExample(type)
  expect(eventEnvelope.parse(example)).toEqual(example)
  expect(eventData[type].parse(example.data)).toEqual(example.data)
  expect(page).toContain(`\`${type}\``)
  expect(page).toContain(JSON.stringify(example.data))
})

test('the page names no other type, and every reason', () => {
  const named = [...page.matchAll(/^\| `([a-z_]+\.[a-z_]+)` \|/gm)].map(([, type]) => type)
  expect(named).toEqual(types)
  for (const reason of disconnectReasons) expect(page).toContain(`\`${reason}\``)
})

test("the contract's subscription is taken as it is", () => {
  const filter = { workspace_id: '660e8400-e29b-41d4-a716-446655440001' }
  const message = { action: 'subscribe', events: ['agent.*', 'config.*'], filter }
  expect(clientMessage.parse(message)).toEqual(message)
})

test.each([
  ['*', 'agent.connected', true],
  ['agent.*', 'agent.connected', true],
  ['agent.connected', 'agent.connected', true],
  ['agent.*', 'agents.connected', false],
  ['agent', 'agent.connected', false],
  ['.*', 'agent.connected', false],
  ['age*', 'agent.connected', false],
])('%s for %s: %s', (pattern, type, matches) => {
  expect(isOfPattern(pattern, type)).toBe(matches)
})
