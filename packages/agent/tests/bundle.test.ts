import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { scratch } from '@nxmesh/testkit/scratch'
import { build as bundleOf } from 'esbuild'
import { beforeAll, expect, test } from 'vitest'

const build = new URL('../build.mjs', import.meta.url).pathname
const bundle = new URL('../dist/nxmesh-agent.mjs', import.meta.url).pathname

function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { env: { PATH: process.env['PATH'] } }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    )
  })
}

beforeAll(async () => {
  expect((await run(build)).code).toBe(0)
})

test('the bundle explains itself', async () => {
  const { code, stdout } = await run(bundle, '--help')
  expect([code, stdout]).toEqual([0, expect.stringContaining('--master')])
})

test('the bundle reads a config file, and refuses an unknown key by its name', async () => {
  await using directory = await scratch()
  const file = join(directory.path, 'agent.yaml')
  await writeFile(file, 'master: 127.0.0.1:1\nmode: owned\ncolour: red\n')
  const { code, stderr } = await run(bundle, '--config', file)
  expect([code, stderr]).toEqual([2, expect.stringContaining('colour')])
})

test('what goes on running holds the runtime of protobuf and no other package of others, above all no reader of settings', async () => {
  const entryPoints = ['start.ts', 'telemetry/thread.ts'].map((file) => join(import.meta.dirname, '..', 'src', file))
  const { metafile } = await bundleOf({
    entryPoints,
    outdir: 'none',
    write: false,
    metafile: true,
    bundle: true,
    platform: 'node',
    format: 'esm',
  })
  const packages = Object.keys(metafile.inputs).flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? [])
  expect([...new Set(packages)]).toEqual(['@bufbuild/protobuf'])
})
