import { execFileSync } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { create, toBinary } from '@bufbuild/protobuf'
import { FoundCertificatesSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { selfSignedServer } from '@nxmesh/testkit/certificates'
import { expect, test } from 'vitest'
import { wireFound } from '../src/link/found.ts'
import { hostNginx } from './host-nginx.ts'
import { type ScriptedMaster, startScriptedMaster } from './scripted-master.ts'
import { openBench, startOn, until } from './testing.ts'

const overrides = { certificatesEvery: 50 }

function reports(master: ScriptedMaster) {
  return master.heard.flatMap(({ payload }) => (payload.case === 'health' ? [payload.value.foundCertificates?.certificates] : []))
}

/** A host with an nginx of its own that serves one certificate, and an agent beside it. */
async function openHost() {
  const bench = await openBench()
  const host = await hostNginx(bench, '/usr/sbin/nginx')
  const directory = dirname(host.conf)
  const { certPem, keyPem } = await selfSignedServer(['shop.test'])
  await writeFile(join(directory, 'shop.pem'), certPem)
  await writeFile(join(directory, 'shop.key'), keyPem)
  await writeFile(join(directory, 'tls.conf'), 'ssl_certificate shop.pem; ssl_certificate_key shop.key;')
  await writeFile(
    join(directory, 'conf.d/shop.conf'),
    `server { listen unix:${directory}/shop.sock ssl; server_name shop.test; include tls.conf; }`,
  )
  await host.write({})
  const start = (master: ScriptedMaster) =>
    startOn(bench, { mode: 'include', nginxConf: host.conf, master: master.address, token: master.token }, overrides)
  return { bench, host, directory, start, [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose]() }
}

test('a server keeps its names through includes, and a configuration that is half written changes nothing', async () => {
  await using host = await openHost()
  await using master = await startScriptedMaster()
  const shop = { path: join(host.directory, 'shop.pem'), serverNames: ['shop.test'], error: '' }
  {
    await using _agent = await host.start(master)
    await until('it tells', () => reports(master).some((list) => list?.length === 1))
    expect(reports(master).filter(Boolean)).toMatchObject([[shop]])

    for (const [text, reason] of [
      ['', 'no \\"events\\" section'],
      ['events {}\nhttp { include conf.d/', 'line 2'],
    ] as const) {
      await writeFile(host.host.conf, text)
      await until('it sees that', () => host.bench.log.some((line) => line.includes('not all known') && line.includes(reason)))
    }
    const seen = reports(master).length
    await until('it has told of its health since', () => reports(master).length > seen + 1)
    expect(reports(master).slice(seen).filter(Boolean)).toEqual([])
  }
  host.bench.log.length = 0
  const before = reports(master).length
  await using _again = await host.start(master)
  await until('it sees it again', () => host.bench.log.some((line) => line.includes('not all known')))
  const seen = reports(master).length
  await until('it has told of its health since', () => reports(master).length > seen + 1)
  expect(reports(master).slice(before).filter(Boolean)).toEqual([])

  await host.host.write({})
  await until('it knows again', () => reports(master).slice(before).some(Boolean))
  expect(reports(master).slice(before).filter(Boolean)).toMatchObject([[shop]])
  await rm(join(host.directory, 'conf.d/shop.conf'))
  await until('it tells that there are none', () => reports(master).at(-1) && reports(master).some((list) => list?.length === 0))
})

test('what could hold the agent up is left out', async () => {
  await using host = await openHost()
  await using master = await startScriptedMaster()
  await using _agent = await host.start(master)
  // Only once nginx runs: it would wait at these for ever.
  await until('nginx runs', () => master.heard.some(({ payload }) => payload.case === 'health' && payload.value.nginx?.isRunning))
  execFileSync('mkfifo', [join(host.directory, 'conf.d/a.conf'), join(host.directory, 'pipe.pem')])
  await writeFile(join(host.directory, 'conf.d/pipe.conf'), 'server { ssl_certificate pipe.pem; }')
  await until('it tells', () => reports(master).some((list) => list?.length === 2))
  expect(reports(master).findLast(Boolean)).toMatchObject([
    { path: join(host.directory, 'pipe.pem'), error: 'it is no file' },
    { path: join(host.directory, 'shop.pem'), error: '' },
  ])
  expect(host.bench.log.filter((line) => line.includes('a.conf: it is no file'))).toHaveLength(1)
})

test('a list that found the line full is told later', async () => {
  await using host = await openHost()
  await using master = await startScriptedMaster()
  await using _agent = await host.start(master)
  await until('it tells', () => reports(master).some(Boolean))
  master.pause()
  const directives = (round: number) => Array.from({ length: 700 }, (_, at) => `ssl_certificate ${round}-${at}-${'x'.repeat(3000)}.pem;`)
  // Each list has about three megabytes, so the second waits in the agent, and a third does not get so far.
  for (const round of [1, 2, 3, 4]) {
    execFileSync('mkfifo', [join(host.directory, `seen-${round}`)])
    await writeFile(join(host.directory, 'conf.d/many.conf'), `server { include seen-${round}; ${directives(round).join('\n')} }`)
    await until('it has seen that', () => host.bench.log.some((line) => line.includes(`seen-${round}: it is no file`)))
    // A beat, at which nothing shows that a report was not sent.
    await delay(1200)
  }
  master.resume()
  await until('it tells the last', () => reports(master).some((list) => list?.some(({ path }) => path.includes('/4-0-'))))
})

test('the configuration of the host is sent when it is asked for', async () => {
  await using host = await openHost()
  await using master = await startScriptedMaster()
  await using _agent = await host.start(master)
  await until('it tells', () => reports(master).some(Boolean))
  await writeFile(join(host.directory, 'conf.d/old.conf'), Buffer.from([0x23, 0xe9, 0x0a]))
  execFileSync('mkfifo', [join(host.directory, 'conf.d/pipe.conf')])
  master.send({ case: 'command', value: { commandId: 'c', command: { case: 'readHostConfig', value: {} } } })
  const answer = await until('it answers', () =>
    master.heard.map(({ payload }) => payload).find((payload) => payload.case === 'event' && payload.value.data['command_id'] === 'c'),
  )
  const { success, main, files, left_out } = (answer.value as { data: Record<string, string> }).data
  expect({ success, main }).toEqual({ success: 'true', main: host.host.conf })
  const texts = JSON.parse(files!) as Record<string, string>
  expect(Object.keys(texts).sort()).toEqual(
    [
      join(host.bench.data, 'current/http.conf'),
      host.host.conf,
      ...['conf.d/own.conf', 'conf.d/shop.conf', 'conf.d/old.conf', 'tls.conf'].map((name) => join(host.directory, name)),
    ].sort(),
  )
  expect(texts[join(host.directory, 'conf.d/old.conf')]).toBe('#é\n')
  expect(JSON.parse(left_out!)).toEqual([`${join(host.directory, 'conf.d/pipe.conf')}: it is no file`])
})

test('texts are cut to what a master takes, and names to what a message holds', () => {
  const facts = {
    subject: `CN=${'ü'.repeat(2000)}`,
    issuer: 'a\0b',
    names: Array.from({ length: 300 }, (_, at) => `${at}.${'n'.repeat(900)}`),
    serial: '1',
    fingerprint: 'f'.repeat(64),
    key: 'EC',
    not_before: '2026-01-01T00:00:00.000Z',
    not_after: '2026-02-01T00:00:00.000Z',
  }
  const found = { path: `/${'p'.repeat(5000)}`, server_names: [`${'x'.repeat(999)}😀`], facts, error: '' }
  const { certificates } = wireFound(Array.from({ length: 1000 }, () => found))
  const whole = create(FoundCertificatesSchema, { certificates: certificates! })
  expect(toBinary(FoundCertificatesSchema, whole).length).toBeLessThan(4_000_000)
  expect(certificates!.length).toBeGreaterThan(200)
  expect(certificates![0]!.names).toHaveLength(100)
  expect(certificates![0]).toMatchObject({ issuer: 'a\uFFFDb', serverNames: [`${'x'.repeat(999)}\uFFFD`] })
  expect([certificates![0]!.path, certificates![0]!.subject].map((text) => text?.length)).toEqual([4096, 1000])
  expect(certificates!.at(-1)!.names).toEqual([])
})
