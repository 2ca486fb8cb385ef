import { expect, test } from 'vitest'
import { blockList, literalOf, mayReach } from './public-address.ts'

const nothing = blockList([])

test.each(
  [
    '0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.192 192.168.1.1',
    '198.18.0.1 224.0.0.1 239.255.255.250 255.255.255.255',
    ':: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 100::1 fc00::1 fd00:ec2::254',
    'fe80::1 fec0::1 ff02::1 2001::1 2001:db8::1 2002:7f00:1:: 5f00::1',
  ].flatMap((line) => line.split(' ')),
)('%s is not public', (address) => {
  expect(mayReach(address, nothing)).toBe(false)
})

test.each(['8.8.8.8', '100.63.255.255', '100.128.0.1', '172.15.0.1', '172.32.0.1', '2606:4700::1111', '2001:4860:4860::8888'])(
  '%s is public',
  (address) => {
    expect(mayReach(address, nothing)).toBe(true)
  },
)

test('what is allowed may be reached, and nothing beside it', () => {
  const allowed = blockList(['10.0.0.0/8', '127.0.0.1', 'fd00::/8'])
  const addresses = ['10.9.8.7', '127.0.0.1', 'fd12::1', '127.0.0.2', '192.168.0.1', 'fe80::1', '169.254.169.254']
  expect(addresses.map((address) => mayReach(address, allowed))).toEqual([true, true, true, false, false, false, false])
})

test.each([
  ['http://2130706433/', '127.0.0.1'],
  ['http://0x7f.1/', '127.0.0.1'],
  ['http://0177.0.0.1/', '127.0.0.1'],
  ['http://127.1/', '127.0.0.1'],
  ['http://127.0.0.1./', '127.0.0.1'],
  ['http://0/', '0.0.0.0'],
  ['http://①②⑦.⓪.⓪.①/', '127.0.0.1'],
  ['http://[::ffff:127.0.0.1]/', '::ffff:7f00:1'],
  ['http://[0:0:0:0:0:0:0:1]/', '::1'],
  ['http://example.com/', undefined],
])('%s leads to %s', (text, address) => {
  expect(literalOf(new URL(text))).toBe(address)
})
