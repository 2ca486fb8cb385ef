import { execFile } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startCuttable } from '@nxmesh/testkit/cuttable'
import { startMesh } from '@nxmesh/testkit/mesh'
import { startAgentProgram } from '@nxmesh/testkit/programs'
import { requestTimes } from '@nxmesh/testkit/requests'
import { addHost, arrived, each } from '@nxmesh/testkit/traffic'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

const run = promisify(execFile)
const env = { NXMESH_TEST_TELEMETRY: JSON.stringify({ lookEvery: 50, measureEvery: 100 }) }

test.each(['nocompress', 'compress'])(
  'logrotate copies and empties the log (%s): no line is lost or doubled, with the agent killed or the master away',
  async (compression) => {
    await using stack = new AsyncDisposableStack()
    const mesh = stack.use(await startMesh({ agents: 0 }))
    await chmod(mesh.directory, 0o711)
    const line = stack.use(await startCuttable(mesh.master.agents.port))
    const { id, dataDir, options } = await mesh.newAgent('rotated', { options: { master: `127.0.0.1:${line.port}` } })
    const start = () => startAgentProgram(options, { env })
    let agent = await start()
    stack.defer(() => agent.end('SIGKILL'))
    const host = await addHost(mesh, 'rotated')
    await mesh.settled(id)
    const conf = join(mesh.directory, 'logrotate.conf')
    const log = join(dataDir, 'runtime', 'access.log')
    await writeFile(conf, `"${log}" {\n  copytruncate\n  rotate 9\n  su root root\n  ${compression}\n}\n`, { mode: 0o644 })
    const rotate = () => run('logrotate', ['--force', '--state', join(mesh.directory, 'logrotate.state'), conf])
    let sent = 0
    const serve = async (times: number) => {
      expect(await requestTimes(host.port, host.name, times)).toEqual({ 200: times })
      sent += times
    }

    await serve(200)
    await rotate()
    await serve(200)
    expect(await arrived(mesh, sent)).toEqual(each(sent))

    await serve(100)
    await agent.end('SIGKILL')
    for (const times of [150, 10, 200]) {
      await serve(times)
      await rotate()
    }
    await serve(50)
    agent = await start()
    await mesh.settled(id)
    expect(await arrived(mesh, sent)).toEqual(each(sent))

    line.cut()
    line.reset()
    await until('the agent to be away', async () => (await mesh.show(id)).state === 'offline')
    for (const times of [120, 300]) {
      await serve(times)
      await rotate()
    }
    await serve(30)
    await agent.end('SIGKILL')
    await rotate()
    line.mend()
    agent = await start()
    await mesh.settled(id)
    await serve(20)
    expect(await arrived(mesh, sent)).toEqual(each(sent))
  },
  180_000,
)
