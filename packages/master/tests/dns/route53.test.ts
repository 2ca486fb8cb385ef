import { expect, test } from 'vitest'
import { openRoute53 } from '../../src/certificates/dns/route53.ts'
import { openOutbound } from '../../src/outbound/outbound.ts'
import { type Double, startRoute53 } from './route53-double.ts'

const settings = {
  kind: 'route53',
  access_key_id: 'AKIDEXAMPLE',
  secret_access_key: 'secret/of+aws',
  session_token: null,
  hosted_zone_id: null,
} as const
const parts = { outbound: openOutbound(['127.0.0.1']), now: Date.now }
const open = ({ base }: Double, more = {}) => openRoute53({ ...settings, ...more }, parts, base)
const name = '_acme-challenge.www.example.test'

test('values are added to those that are there, and only ours go', async () => {
  await using double = await startRoute53()
  double.sets.set(name, { ttl: '300', values: ['"of somebody"'] })
  const provider = open(double)
  expect(await provider.present({ name, value: 'first' })).toEqual({ ok: true })
  expect(await provider.present({ name, value: 'second' })).toEqual({ ok: true })
  expect(await provider.present({ name, value: 'second' })).toEqual({ ok: true })
  expect(double.sets.get(name)).toEqual({ ttl: '300', values: ['"of somebody"', '"first"', '"second"'] })
  expect(await provider.cleanup({ name, value: 'first' })).toEqual({ ok: true })
  expect(await provider.cleanup({ name, value: 'first' })).toEqual({ ok: true })
  expect(await provider.cleanup({ name, value: 'second' })).toEqual({ ok: true })
  expect(double.sets.get(name)).toEqual({ ttl: '300', values: ['"of somebody"'] })
})

test('a set that is ours alone is made and goes as a whole', async () => {
  await using double = await startRoute53()
  const provider = open(double, { hosted_zone_id: 'ZPUBLIC' })
  expect(await provider.present({ name, value: 'only' })).toEqual({ ok: true })
  expect(double.sets.get(name)).toEqual({ ttl: '60', values: ['"only"'] })
  expect(await provider.cleanup({ name, value: 'only' })).toEqual({ ok: true })
  expect([...double.sets]).toEqual([])
})

test('two at once lose nothing', async () => {
  await using double = await startRoute53()
  const provider = open(double)
  const values = ['first', 'second', 'third']
  expect(await Promise.all(values.map((value) => provider.present({ name, value })))).toEqual(values.map(() => ({ ok: true })))
  expect(double.sets.get(name)?.values.toSorted()).toEqual(['"first"', '"second"', '"third"'])
})

test('somebody who is always faster is given up on', async () => {
  await using double = await startRoute53((sets, count) => void sets.set(name, { ttl: '60', values: [`"${count}"`] }))
  expect(await open(double).present({ name, value: 'late' })).toMatchObject({ ok: false, retry: true })
})

test('what Route 53 refuses is told', async () => {
  await using double = await startRoute53()
  const wrong = await open(double, { secret_access_key: 'another' }).present({ name, value: 'x' })
  expect(wrong).toEqual({ ok: false, message: expect.stringContaining('SignatureDoesNotMatch'), retry: false })
  const nowhere = await open(double).present({ name: '_acme-challenge.other.invalid', value: 'x' })
  expect(nowhere).toEqual({ ok: false, message: expect.stringContaining('no public hosted zone'), retry: false })
})
