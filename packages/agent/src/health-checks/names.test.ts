import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { upstreamInput } from '@nxmesh/model/upstream'
import { expect, test } from 'vitest'
import { dataPaths } from '../durable.ts'
import { answeredServers } from './answered.ts'
import { openAnswerer } from './answerer.ts'
import { answerTo } from './names.ts'

const id = '00000000-0000-7000-8002-000000000001'
const name = `_servers._tcp.u${id.replaceAll('-', '')}.nxmesh`
const servers = [
  { address: '10.0.1.20:8080', weight: 3 },
  { address: '[2001:db8::1:2]:81' },
  { address: '[::ffff:10.1.2.3]' },
  { address: '10.0.1.9', down: true },
]
const upstream = { ...upstreamInput.parse({ name: 'u', servers, health_check: { enabled: true } }), id }
const config = { virtual_hosts: [], upstreams: [upstream], certificates: {}, settings: { nginx_directives: {}, env_vars: {} } }

test('a resolver finds the servers that take requests, their ports, weights and addresses, at the same place after a restart', async () => {
  const directory = await mkdtemp(`${tmpdir()}/nxa-`)
  try {
    let marks: Record<string, string[]> = {}
    const first = (await openAnswerer(dataPaths(directory), () => {}))!
    const { address } = first
    await first[Symbol.asyncDispose]()
    await using answerer = (await openAnswerer(dataPaths(directory), () => {}))!
    expect(answerer.address).toBe(address)
    answerer.answerFrom(answeredServers(config, () => marks))
    const resolver = new Resolver({ timeout: 500, tries: 1 })
    resolver.setServers([address])
    const found = await resolver.resolveSrv(name)
    expect(found.map(({ port, weight, priority }) => ({ port, weight, priority }))).toEqual([
      { port: 8080, weight: 3, priority: 0 },
      { port: 81, weight: 1, priority: 0 },
      { port: 80, weight: 1, priority: 0 },
    ])
    expect(await resolver.resolve4(found[0]!.name)).toEqual(['10.0.1.20'])
    expect(await resolver.resolve6(found[1]!.name)).toEqual(['2001:db8::1:2'])
    expect(await resolver.resolve6(found[2]!.name)).toEqual(['::ffff:10.1.2.3'])
    await expect(resolver.resolve6(found[0]!.name)).rejects.toMatchObject({ code: 'ENODATA' })
    marks = { [id]: ['10.0.1.20:8080', '[::ffff:10.1.2.3]'] }
    expect((await resolver.resolveSrv(name)).map(({ port }) => port)).toEqual([81])
    await expect(resolver.resolveSrv('_servers._tcp.other.nxmesh')).rejects.toMatchObject({ code: 'ETIMEOUT' })
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('what is no question gets no answer', () => {
  const query = Buffer.concat([Buffer.from('abcd01000001000000000000', 'hex'), Buffer.from('\x01a\x00\x00\x21\x00\x01', 'latin1')])
  const one = [{ ip: Buffer.from([1, 2, 3, 4]), port: 1, weight: 1 }]
  expect(answerTo(query, () => one)).toBeDefined()
  for (let length = 0; length < query.length; length++) expect(answerTo(query.subarray(0, length), () => one)).toBeUndefined()
  for (let at = 0; at < query.length; at++) {
    const bent = Buffer.from(query)
    bent[at] = 0xff
    expect(() => answerTo(bent, () => one)).not.toThrow()
  }
  expect(answerTo(query, () => [])).toBeUndefined()
})

test('where the port is taken meanwhile, another one is found', async () => {
  const directory = await mkdtemp(`${tmpdir()}/nxa-`)
  const other = createSocket('udp4')
  try {
    const first = (await openAnswerer(dataPaths(directory), () => {}))!
    await first[Symbol.asyncDispose]()
    await new Promise<void>((resolve) => other.bind(Number(first.address.split(':')[1]), '127.0.0.1', resolve))
    await using second = (await openAnswerer(dataPaths(directory), () => {}))!
    expect(second.address).not.toBe(first.address)
  } finally {
    other.close()
    await rm(directory, { recursive: true })
  }
})
