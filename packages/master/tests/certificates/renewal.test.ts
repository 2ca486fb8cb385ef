import type { Certificate } from '@nxmesh/model/certificate'
import { Refusal } from '@nxmesh/testkit/acme-authority/refusal'
import { stores } from '@nxmesh/testkit/stores'
import { unindexed } from '@nxmesh/testkit/unindexed'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CertificateRow } from '../../src/db/schema-certificates.ts'
import { type Renewing, startRenewing } from './renewing.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

describe.each(stores)('on $name', (store) => {
  let renewing: Renewing

  beforeAll(async () => {
    renewing = await startRenewing(store)
  })

  beforeEach(() => {
    renewing.authority.windowOf = () => undefined
    renewing.authority.askAgain = '21600'
  })

  afterAll(() => renewing[Symbol.asyncDispose]())

  const isIssued = ({ status, order }: Certificate) => status === 'active' && order === null
  // The CA has been asked, and what it said is written.
  const isAsked = (_shown: Certificate, row: CertificateRow) => row.renewal_info_due_at! > new Date(renewing.now()).toISOString()
  const ordersOf = (domain: string) => renewing.authority.orders.filter(({ identifiers }) => identifiers[0]!.value === domain)

  async function issued(domain: string, more: object = {}): Promise<Certificate> {
    const { id } = await renewing.request(domain, more)
    return renewing.once('it to be issued', id, (shown, row) => isIssued(shown) && isAsked(shown, row))
  }

  function renewed({ id, serial }: Certificate): Promise<Certificate> {
    return renewing.once('it to be renewed', id, (shown, row) => isIssued(shown) && shown.serial !== serial && isAsked(shown, row))
  }

  test('an order takes seven requests, and one more to ask when it is renewed', async () => {
    const { authority } = renewing
    const before = authority.asked.length
    await issued('few.test')
    const first = ['GET directory', 'HEAD new-nonce', 'POST new-account']
    const steps = ['new-order', 'authorization', 'challenge', 'authorization', 'order', 'finalize', 'certificate'].map(
      (path) => `POST ${path}`,
    )
    expect(authority.asked.slice(before)).toEqual([...first, ...steps, 'GET renewal-info'])
  })

  test('the CA says when a certificate is renewed, may change its mind, and hears what the new one replaces', async () => {
    const { authority } = renewing
    let from = 20 * day
    authority.windowOf = ({ notBefore }) => ({ start: notBefore + from, end: notBefore + from + hour })
    const first = await issued('asked.test')
    const [order] = ordersOf('asked.test')
    const begins = order!.certificate!.notBefore
    const inWindow = ({ renews_at }: Certificate) =>
      Date.parse(renews_at!) >= begins + from && Date.parse(renews_at!) <= begins + from + hour
    expect([order!.replaces, inWindow(first)]).toEqual([undefined, true])
    from = 10 * day
    renewing.setClock(renewing.now() + 6 * hour + minute)
    const moved = await renewing.once('it to be asked for again', first.id, isAsked)
    expect(inWindow(moved)).toBe(true)
    renewing.setClock(Date.parse(moved.renews_at!))
    expect((await renewed(moved)).error).toBeNull()
    expect(ordersOf('asked.test').map(({ replaces }) => replaces)).toEqual([undefined, order!.certificate!.id])
  })

  test('a certificate of six days is renewed at half of its life where the CA does not say when', async () => {
    const first = await issued('short.test', { profile: 'shortlived' })
    const [{ certificate } = { certificate: undefined }] = ordersOf('short.test')
    const life = certificate!.notAfter - certificate!.notBefore
    expect(life).toBe(6 * day)
    const share = (Date.parse(first.renews_at!) - certificate!.notBefore) / life
    expect(share).toBeGreaterThanOrEqual(0.47)
    expect(share).toBeLessThanOrEqual(0.5)
    renewing.setClock(Date.parse(first.renews_at!) - minute)
    await renewing.once('the CA to be asked', first.id, isAsked)
    expect(ordersOf('short.test')).toHaveLength(1)
    renewing.setClock(Date.parse(first.renews_at!))
    const next = await renewed(first)
    expect([next.profile, Date.parse(next.expires_at!) - Date.parse(first.expires_at!)]).toEqual(['shortlived', expect.any(Number)])
    expect(ordersOf('short.test')).toMatchObject([
      { profile: 'shortlived', replaces: undefined },
      { profile: 'shortlived', replaces: certificate!.id },
    ])
  })

  test.each([
    ['a limit is kept for as long as the CA says', new Refusal(429, 'rateLimited', 'too many', { 'retry-after': '7200' }), 2 * hour],
    ['a failed order is waited after', new Refusal(400, 'rejectedIdentifier', 'not that name'), 5 * minute],
  ])('%s, whatever it says of renewal', async (what, refusal, wait) => {
    const { authority } = renewing
    const domain = `${what.split(' ')[1]}.test`
    const first = await issued(domain)
    renewing.setClock(Date.parse(first.renews_at!))
    authority.refuseNext(domain, refusal)
    const failedAt = renewing.now()
    const failed = await renewing.once('the renewal to fail', first.id, ({ error }) => error?.code === refusal.type)
    const next = Date.parse(failed.renews_at!)
    expect(next).toBeGreaterThanOrEqual(failedAt + wait)
    expect(next).toBeLessThan(failedAt + wait * 1.2 + minute)
    authority.windowOf = ({ notBefore }) => ({ start: notBefore, end: notBefore + hour })
    await renewing.master.ctx.db
      .updateTable('certificates')
      .set({ renewal_info_due_at: failed.created_at })
      .where('id', '=', first.id)
      .execute()
    renewing.setClock(next - minute)
    const asked = await renewing.once('the CA to be asked', first.id, isAsked)
    expect([asked.renews_at, asked.order, ordersOf(domain).length]).toEqual([failed.renews_at, null, 1])
    renewing.setClock(next)
    expect((await renewed(first)).error).toBeNull()
  })

  test('a CA that wants to be asked again in a month is asked again in a day', async () => {
    const { authority } = renewing
    authority.windowOf = ({ notBefore }) => ({ start: notBefore + 60 * day, end: notBefore + 61 * day })
    authority.askAgain = String(30 * 86_400)
    const { id } = await issued('patient.test')
    const due = Date.parse((await renewing.row(id)).renewal_info_due_at!)
    expect(due).toBeLessThanOrEqual(renewing.now() + day)
    authority.windowOf = ({ notBefore }) => ({ start: notBefore + 30 * day, end: notBefore + 31 * day })
    renewing.setClock(due)
    const moved = await renewing.once('the CA to be asked', id, isAsked)
    expect(Date.parse(moved.renews_at!)).toBeLessThan(renewing.now() + 31 * day)
  })

  test('a CA that wants each certificate renewed at once has two of them, and two more after three days', async () => {
    const { authority } = renewing
    authority.windowOf = ({ notBefore }) => ({ start: notBefore - 2 * day, end: notBefore - day })
    const began = renewing.now()
    const { id } = await renewing.request('hasty.test')
    for (const [index, count] of [2, 4].entries()) {
      const hasThem = () => ordersOf('hasty.test').length >= count
      const shown = await renewing.once('two orders', id, (one, row) => hasThem() && isIssued(one) && isAsked(one, row))
      const next = Date.parse(shown.renews_at!)
      expect(next).toBeGreaterThanOrEqual(began + 3 * day * (index + 1))
      expect(next).toBeLessThan(began + 3 * day * (index + 1) + 10 * minute)
      renewing.setClock(next - minute)
      await renewing.once('the CA to be asked', id, isAsked)
      expect(ordersOf('hasty.test')).toHaveLength(count)
      renewing.setClock(next)
    }
  })

  test('no query reads a whole table', async () => {
    const found = await unindexed(renewing.master.ctx.db, renewing.queries)
    expect(found.filter((text) => /certificate|acme/.test(text))).toEqual([])
  })
})
