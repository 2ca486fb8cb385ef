import { expect, test } from 'vitest'
import { sharedOnTheWay } from './shared-sockets.ts'

const at = (...names: string[]) =>
  names.map((name) => {
    const [address = '', port = '80'] = name.split(' ')
    return { address, port: Number(port) }
  })

test.each([
  ['all to one', ['0.0.0.0', '::'], ['127.0.0.1'], [['0.0.0.0'], ['127.0.0.1']]],
  ['one to all', ['127.0.0.1'], ['0.0.0.0', '::'], [['127.0.0.1'], ['0.0.0.0']]],
  [
    'one of each family to all',
    ['127.0.0.1', '::1'],
    ['0.0.0.0', '::'],
    [
      ['127.0.0.1', '::1'],
      ['0.0.0.0', '::'],
    ],
  ],
  ['all of IPv4 to one of each family', ['0.0.0.0'], ['127.0.0.1', '::1'], [['0.0.0.0'], ['127.0.0.1', '::1']]],
  [
    'several ports',
    ['0.0.0.0', '127.0.0.1 81'],
    ['127.0.0.1', '0.0.0.0 81'],
    [
      ['0.0.0.0', '127.0.0.1 81'],
      ['127.0.0.1', '0.0.0.0 81'],
    ],
  ],
  ['all of IPv4 to one of IPv6', ['0.0.0.0'], ['::1'], []],
  ['one to another', ['127.0.0.1'], ['127.0.0.2'], []],
  ['another port', ['0.0.0.0'], ['0.0.0.0', '127.0.0.1 81'], []],
  ['one to all, of which one is left', ['0.0.0.0', '127.0.0.1'], ['0.0.0.0'], []],
  ['nothing', [], ['0.0.0.0'], []],
])('%s', (_, open, wanted, steps) => {
  expect(sharedOnTheWay(at(...open), at(...wanted))).toEqual(steps.map((names) => at(...names)))
})
