import { expect, test } from 'vitest'
import { isServerAddress } from './upstream.ts'

test.each([
  '10.0.1.20:8080',
  'localhost',
  'app.internal:80',
  '[::1]:8080',
  '[2001:db8::1]',
  'unix:/run/app.sock',
  '127.0.0.1',
  'under_score:1',
])('%s is an address', (text) => expect(isServerAddress(text)).toBe(true))

test.each([
  '',
  ':80',
  'a b',
  'a;b',
  'a:0',
  'a:70000',
  'a:x',
  '::1',
  '[::g]',
  '300.1.1.1',
  '1.2.3',
  'unix:relative',
  'http://a',
  'a{b',
  '"a"',
  '$a',
  'a:80:90',
  'unix:/a;b',
])('"%s" is none', (text) => expect(isServerAddress(text)).toBe(false))
