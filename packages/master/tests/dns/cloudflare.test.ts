import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { openCloudflare } from '../../src/certificates/dns/cloudflare.ts'
import { openOutbound } from '../../src/outbound/outbound.ts'
import { type Heard, startReceiver } from '../notifications/receiver.ts'

const outbound = openOutbound(['127.0.0.1'])
const name = '_acme-challenge.www.example.test'

/** Answers as Cloudflare does for one token and one zone. */
async function startCloudflare() {
  const records = new Map<string, { name: string; content: string; ttl: number }>()
  let made = 0
  const answer = (response: ServerResponse, status: number, body: object) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ errors: [], messages: [], ...body }))
  const refuse = (response: ServerResponse, status: number, code: number, message: string) =>
    answer(response, status, { success: false, errors: [{ code, message }], result: null })
  const receiver = await startReceiver((response, _count, { headers, path, body, method }: Heard) => {
    const { pathname, searchParams } = new URL(path, 'http://localhost')
    if (headers.authorization !== 'Bearer the-token') return refuse(response, 403, 9109, 'Invalid access token')
    if (pathname === '/zones') {
      const isOurs = searchParams.get('name') === 'example.test'
      return answer(response, 200, { success: true, result: isOurs ? [{ id: 'z1', name: 'example.test', status: 'active' }] : [] })
    }
    const [, id] = /^\/zones\/z1\/dns_records(?:\/(\w+))?$/.exec(pathname) ?? []
    if (method === 'POST') {
      const record = JSON.parse(body) as { type: string; name: string; content: string; ttl: number }
      if (record.type !== 'TXT' || record.ttl < 60) return refuse(response, 400, 9021, 'Invalid TTL')
      const isThere = [...records.values()].some((one) => one.name === record.name && one.content === record.content)
      if (isThere) return refuse(response, 400, 81_058, 'An identical record already exists.')
      records.set(`r${++made}`, record)
      return answer(response, 200, { success: true, result: { id: `r${made}`, ...record } })
    }
    if (method === 'DELETE') {
      if (!records.delete(id!)) return refuse(response, 404, 81_044, 'Record does not exist.')
      return answer(response, 200, { success: true, result: { id } })
    }
    const result = [...records]
      .filter(([, record]) => record.name === searchParams.get('name'))
      .map(([key, record]) => ({ id: key, ...record }))
    return answer(response, 200, { success: true, result })
  })
  return { ...receiver, base: `http://127.0.0.1:${receiver.port}`, records }
}

const open = (base: string, api_token = 'the-token') => openCloudflare({ kind: 'cloudflare', api_token }, { outbound }, base)

test('records stand side by side, and each goes by itself', async () => {
  await using double = await startCloudflare()
  const provider = open(double.base)
  for (const value of ['first', 'second', 'second']) expect(await provider.present({ name, value })).toEqual({ ok: true })
  expect([...double.records.values()].map(({ content }) => content)).toEqual(['"first"', '"second"'])
  for (const value of ['first', 'first']) expect(await provider.cleanup({ name, value })).toEqual({ ok: true })
  expect([...double.records.values()].map(({ content }) => content)).toEqual(['"second"'])
})

test('what Cloudflare refuses is told', async () => {
  await using double = await startCloudflare()
  const refused = await open(double.base, 'another').present({ name, value: 'x' })
  expect(refused).toEqual({ ok: false, message: 'Cloudflare: Invalid access token (9109)', retry: false })
  const nowhere = await open(double.base).present({ name: '_acme-challenge.other.invalid', value: 'x' })
  expect(nowhere).toMatchObject({ ok: false, message: expect.stringContaining('no zone of'), retry: false })
})

test.each([
  [503, 'away for now', true],
  [200, '<html>', false],
])('an answer of %i that cannot be read', async (status, text, retry) => {
  await using receiver = await startReceiver((response) => response.writeHead(status).end(text))
  expect(await open(`http://127.0.0.1:${receiver.port}`).cleanup({ name, value: 'x' })).toEqual({
    ok: false,
    message: `Cloudflare: it answered ${status}`,
    retry,
  })
})
