import { describe, expect, test } from 'vitest'
import { matches, parseSelector } from './selector.ts'

const labels = { env: 'production', region: 'us-east-1', tier: '' }

function selects(text: string, of: Record<string, string> = labels): boolean {
  const parsed = parseSelector(text)
  if (!parsed.ok) throw new Error(parsed.message)
  return matches(parsed.selector, of)
}

describe('a selector', () => {
  test.each([
    ['', true],
    ['env=production', true],
    ['env==production', true],
    ['env = production', true],
    ['env=staging', false],
    ['env!=staging', true],
    ['env!=production', false],
    ['owner!=me', true],
    ['env in (staging, production)', true],
    ['env in (staging)', false],
    ['env notin (staging)', true],
    ['owner notin (me)', true],
    ['env', true],
    ['!env', false],
    ['! owner', true],
    ['tier=', true],
    ['env=production,region=us-east-1', true],
    ['env in (a,production),region', true],
    ['env=production,region=elsewhere', false],
    ['constructor', false],
  ])('%s', (text, expected) => expect(selects(text)).toBe(expected))

  test.each(['a,,b', ',', 'a in', 'a in (', 'a in (x y)', '=b', 'a=b c', 'a>1', 'ä=b', 'a=b,'])('"%s" is refused', (text) => {
    expect(parseSelector(text)).toEqual({ ok: false, message: expect.any(String) })
  })
})
