import { expect, test } from 'vitest'
import { addressesOf, portOf } from './listen-address.ts'
import { listenAddresses, listenPlaces } from './listen-addresses.ts'

test('addresses of both families are taken as they are written, and compared by their bytes', () => {
  const written = ['127.0.0.1', '2001:DB8:0::1']
  expect(listenAddresses.parse(written)).toEqual(written)
  expect(addressesOf({ listen_addresses: written })).toEqual(['127.0.0.1', '2001:db8::1'])
  expect(addressesOf({})).toEqual(['*'])
})

test('what nginx could not listen on, or would take for all addresses, is refused in its place', () => {
  const wrong = ['localhost', '[::1]', '10.0.0.1:80', '10.0.0.0/8', '0.0.0.0', '::', '::ffff:10.0.0.1', 'fe80::1', '010.0.0.1', '']
  const read = listenAddresses.safeParse(wrong)
  expect(read.error?.issues.map(({ path }) => path)).toEqual(wrong.map((_, index) => [index]))
  expect(listenAddresses.safeParse([]).success).toBe(false)
  expect(listenAddresses.safeParse(['::1', '0:0:0:0:0:0:0:1']).error?.issues).toMatchObject([{ path: [1] }])
})

test('a virtual host may list unix sockets instead, and then has no port', () => {
  const sockets = ['unix:/run/app/web.sock', 'unix:/tmp/a@b-1.s']
  expect(listenPlaces.parse(sockets)).toEqual(sockets)
  expect(portOf({ listen_port: 80, listen_addresses: sockets })).toBe(0)
  expect(portOf({ listen_port: 80, listen_addresses: ['::1'] })).toBe(80)
  expect(listenAddresses.safeParse(sockets).success).toBe(false)
  const wrong = [
    'unix:',
    'unix:run/a',
    'unix:/run/a b',
    'unix:/run/../a',
    'unix:/run/a;',
    'unix:/run/',
    'unix:/run//a',
    `unix:/${'a'.repeat(107)}`,
  ]
  const read = listenPlaces.safeParse(wrong)
  expect(read.error?.issues.map(({ path }) => path)).toEqual(wrong.map((_, index) => [index]))
  expect(listenPlaces.safeParse([...sockets, '::1']).error?.issues).toMatchObject([
    { path: [], message: expect.stringContaining('all unix sockets') },
  ])
})
