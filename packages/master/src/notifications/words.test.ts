import { eventExample } from '@nxmesh/api/examples/events'
import { expect, test } from 'vitest'
import { escapedForSlack, wordsOf } from './words.ts'

const names = { workspace: 'Production', agent: 'web-01' }

test('an alert in words', () => {
  expect(wordsOf(eventExample('health.alert'), names)).toEqual({
    subject: '[warning] web-01: High CPU usage: 85%',
    text: [
      '[warning] web-01: High CPU usage: 85%',
      '',
      'event: health.alert',
      'workspace: Production',
      'agent: web-01',
      'time: 2026-03-02T12:00:00.000Z',
      'agent_id: 770e8400-e29b-41d4-a716-446655440002',
      'alert_id: alert-456',
      'severity: warning',
      'message: High CPU usage: 85%',
      'metric: cpu_percent',
      'value: 85',
    ].join('\n'),
  })
})

test.each([
  ['alert.acknowledged', '[acknowledged by user@example.com] web-01: High CPU usage: 85%'],
  ['alert.resolved', '[resolved] web-01: High CPU usage: 85%'],
  ['agent.degraded', 'agent.degraded web-01 nginx is not running (Production)'],
] as const)('the subject of %s', (type, subject) => {
  expect(wordsOf(eventExample(type), names).subject).toBe(subject)
})

test('a message that would begin a header is one line', () => {
  const event = eventExample('health.alert')
  const evil = { ...event, data: { ...event.data, message: 'x\r\nBcc: a@b.c\u2028y\u0000' } }
  expect(wordsOf(evil, { ...names, agent: 'w\n1' }).subject).toBe('[warning] w 1: x Bcc: a@b.c y')
})

test('nothing for Slack is a link or calls anybody', () => {
  expect(escapedForSlack('<!channel> & <https://x|y>')).toBe('&lt;!channel&gt; &amp; &lt;https://x|y&gt;')
})
