import { expect, test } from 'vitest'
import { headerDirection } from './header-direction.ts'

const header = (name: string, always = false) => ({ name, always })

test.each([
  [{ ...header('X-Frame-Options'), direction: 'request' as const }, true, 'request'],
  [header('X-Forwarded-For', true), true, 'response'],
  [header('X-Forwarded-For'), false, 'response'],
  [header('x-forwarded-proto'), true, 'request'],
  [header('Host'), true, 'request'],
  [header('X-My-Api-Key'), true, 'request'],
  [header('Authorization'), true, 'request'],
  [header('Accept-Encoding'), true, 'request'],
  [header('Strict-Transport-Security'), true, 'response'],
  [header('access-control-allow-origin'), true, 'response'],
  [header('WWW-Authenticate'), true, 'response'],
  [header('Proxy-Authenticate'), true, 'response'],
  [header('X-Custom'), true, 'both'],
] as const)('%j (proxies: %s) goes to %s', (input, proxies, direction) => {
  expect(headerDirection(input, proxies)).toBe(direction)
})
