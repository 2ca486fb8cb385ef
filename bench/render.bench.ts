import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { binaryFacts } from '@nxmesh/agent/binary-facts'
import { dataPaths } from '@nxmesh/agent/durable'
import { digestOf } from '@nxmesh/model/digest'
import { render } from '@nxmesh/nginx/render'
import { nginxBinary } from '@nxmesh/testkit/nginx'
import { scratch } from '@nxmesh/testkit/scratch'
import { percentile, rounded, verdict } from './figures.ts'
import { host, manyHosts } from './many-hosts.ts'

// One edit among many virtual hosts, from the objects to nginx's own verdict, beside that verdict alone.
const counts = [1000, 10_000]
const rounds = 7

await using folder = await scratch()
const nginx = nginxBinary()
const facts = await binaryFacts(dataPaths(folder.path))(nginx)
const target = { facts, mode: 'owned', runtime_directory: folder.path, ipv6: false, worker_user: 'root' } as const

for (const count of counts) {
  const config = manyHosts(count)
  const times: Record<'digest' | 'render' | 'write' | 'alone', number[]> = { digest: [], render: [], write: [], alone: [] }
  let bytes = 0
  for (let round = 0; round < rounds; round++) {
    config.virtual_hosts[round * 100] = { ...host(round * 100), server_name: `edited-${round}.test` }
    const took = (step: keyof typeof times, since: number) => times[step].push(performance.now() - since)
    let since = performance.now()
    const digest = digestOf(config)
    took('digest', since)
    since = performance.now()
    const { files } = render(config, { ...target, digest })
    took('render', since)
    since = performance.now()
    for (const { path, text } of files) {
      mkdirSync(dirname(join(folder.path, path)), { recursive: true })
      writeFileSync(join(folder.path, path), text)
    }
    took('write', since)
    bytes = files.reduce((sum, { text }) => sum + text.length, 0)
    since = performance.now()
    const verdictOfNginx = spawnSync(nginx, ['-t', '-p', folder.path, '-c', join(folder.path, 'test.conf')], { encoding: 'utf8' })
    took('alone', since)
    if (verdictOfNginx.status !== 0) throw new Error(verdictOfNginx.stderr.slice(0, 1000))
  }
  const [digest, rendering, write, alone] = (['digest', 'render', 'write', 'alone'] as const).map((step) =>
    percentile(times[step], 0.5),
  ) as [number, number, number, number]
  console.log(`${count} virtual hosts, ${(bytes / 1e6).toFixed(1)} MB of configuration, medians of ${rounds}`)
  console.log(
    `  digest ${rounded(digest)} ms, render ${rounded(rendering)} ms (${rounded(bytes / 1000 / rendering)} MB/s), write ${rounded(write)} ms`,
  )
  console.log(`  nginx -t alone ${rounded(alone)} ms`)
  verdict('one edit, rendered and validated, as a multiple of nginx -t alone', (digest + rendering + write + alone) / alone, 1.3, '×')
}
