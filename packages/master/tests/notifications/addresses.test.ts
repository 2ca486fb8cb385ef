import type { LookupAddress } from 'node:dns'
import { routes } from '@nxmesh/api/routes'
import { stores } from '@nxmesh/testkit/stores'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Receiver, startReceiver } from './receiver.ts'
import { openRig, type Rig, webhook } from './rig.ts'

const stack = new AsyncDisposableStack()
const leads = new Map<string, LookupAddress[][]>()
let lookups: string[] = []
let rig: Rig
let receiver: Receiver

beforeAll(async () => {
  const opened = stack.use(await stores[0]!.open())
  receiver = stack.use(await startReceiver())
  rig = stack.use(
    await openRig(opened, {
      // Each look-up of a name gives the next of its answers, as a name server that means harm would.
      resolve(name, found) {
        lookups.push(name)
        const answers = leads.get(name) ?? []
        found(null, answers.length > 1 ? answers.shift() : answers[0])
      },
    }),
  )
})

afterAll(() => stack.disposeAsync())

const v4 = (address: string) => ({ address, family: 4 })
const v6 = (address: string) => ({ address, family: 6 })

/** Sends a test to a name, as often as asked, and returns what came of each. */
async function sendTo(name: string, times = 1) {
  lookups = []
  const { id } = await rig.channel(webhook(name, `http://${name}:${receiver.port}/`))
  const outcomes = []
  for (let index = 0; index < times; index++) {
    outcomes.push(await rig.client.call(routes.testNotificationChannel, { params: { notification_channel_id: id } }))
  }
  return outcomes
}

test.each(
  [
    '127.0.0.2 10.0.0.1 169.254.169.254 2130706434 0x7f.2 0177.0.0.2 127.2 0 127.0.0.2.',
    '[::1] [::ffff:127.0.0.2] [::ffff:a9fe:a9fe] [64:ff9b::a00:1] [fd00:ec2::254] [fe80::1] [0:0:0:0:0:0:0:1]',
  ].flatMap((line) => line.split(' ')),
)('the address %s is refused when somebody gives it', async (host) => {
  const refused = await rig.channel(webhook(`literal ${host}`, `http://${host}:${receiver.port}/`)).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: 'url', code: 'NOT_ALLOWED' }] })
})

test('an address that is allowed is reached in any spelling', async () => {
  const [outcome] = await sendTo('2130706433')
  expect(outcome).toMatchObject({ state: 'delivered' })
})

test.each([
  ['private', [v4('192.168.1.1')]],
  ['metadata', [v4('169.254.169.254')]],
  ['mapped', [v6('::ffff:10.0.0.1')]],
  ['nat64', [v6('64:ff9b::a00:1')]],
  ['local', [v6('::1'), v4('127.0.0.2')]],
])('a name that leads to a %s address is refused', async (name, addresses) => {
  leads.set(`${name}.test`, [addresses])
  const before = receiver.heard.length
  const [outcome] = await sendTo(`${name}.test`)
  expect(outcome).toMatchObject({
    state: 'failed',
    status: null,
    error: expect.stringContaining(`${name}.test leads to no public address`),
  })
  expect(receiver.heard).toHaveLength(before)
})

test('a name that leads elsewhere a moment later leads nowhere', async () => {
  leads.set('rebound.test', [[v4('127.0.0.1')], [v4('127.0.0.2')]])
  const outcomes = await sendTo('rebound.test', 2)
  expect(outcomes.map(({ state }) => state)).toEqual(['delivered', 'failed'])
  // Each was looked up once: what was checked is what was connected to.
  expect(lookups).toEqual(['rebound.test', 'rebound.test'])
})

test('of several addresses only those are tried that may be', async () => {
  leads.set('mixed.test', [[v4('10.0.0.1'), v6('::1'), v4('127.0.0.1')]])
  expect((await sendTo('mixed.test'))[0]).toMatchObject({ state: 'delivered' })
})
