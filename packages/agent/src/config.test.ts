import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readConfig } from './config.ts'
import { telemetryLimits } from './telemetry/messages.ts'

const token = `nxmesh_agent_${Buffer.from(JSON.stringify({ agent_id: 'a', secret: 's', ca: 'f' })).toString('base64url')}`
const nginx = process.execPath
let directory = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nxa-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('flags rule over the environment, the environment over the file', async () => {
  const file = join(directory, 'agent.yaml')
  await writeFile(file, `master: file:1\ndata_dir: /file\nmode: include\nlabels: { from: file }\nnginx: ${nginx}\n`)
  const env = { NXMESH_MASTER: 'env:2', NXMESH_AGENT_DATA_DIR: '/env', NXMESH_TOKEN: token }
  const parsed = await readConfig(['--config', file, '--master', 'flag:3', '--label', 'a=1', '--label', 'b=2'], env)
  expect(parsed).toMatchObject({
    kind: 'run',
    options: { master: 'flag:3', dataDir: '/env', mode: 'include', token, labels: { a: '1', b: '2' }, nginx },
  })
})

test('a token may come from a file, but not from two places', async () => {
  const file = join(directory, 'token')
  await writeFile(file, `${token}\n`)
  const base = { NXMESH_MASTER: 'm:1', NXMESH_NGINX: nginx, NXMESH_TOKEN_FILE: file }
  expect(await readConfig([], base)).toMatchObject({ kind: 'run', options: { token } })
  expect(await readConfig([], { ...base, NXMESH_TOKEN: token })).toMatchObject({
    kind: 'invalid',
    message: expect.stringContaining('both set'),
  })
})

test('how much of the logs may wait is a size, from wherever it comes', async () => {
  const backlogOf = async (argv: string[], env = {}) => {
    const parsed = await readConfig(['--master', 'm:1', '--nginx', nginx, ...argv], env)
    return parsed.kind === 'run' && parsed.options.logBacklog
  }
  const file = join(directory, 'agent.yaml')
  await writeFile(file, 'log_backlog: 64MB\n')
  const MB = 2 ** 20
  expect(await backlogOf([])).toBe(256 * MB)
  expect(await backlogOf(['--config', file])).toBe(64 * MB)
  expect(await backlogOf(['--config', file], { NXMESH_LOG_BACKLOG: '2GB' })).toBe(2048 * MB)
  expect(await backlogOf(['--log-backlog', '16MB'], { NXMESH_LOG_BACKLOG: '2GB' })).toBe(16 * MB)
})

test('files of a log are a quarter of what may wait, and no larger than they need to be', () => {
  const MB = 2 ** 20
  expect([16 * MB, 256 * MB, 2048 * MB].map((bytes) => telemetryLimits(bytes).rotateAt)).toEqual([4 * MB, 64 * MB, 64 * MB])
})

test('a size of the file that is no text is refused by name', async () => {
  const file = join(directory, 'agent.yaml')
  await writeFile(file, `master: m:1\nnginx: ${nginx}\nlog_backlog: 500\n`)
  const message = 'log_backlog (--log-backlog, NXMESH_LOG_BACKLOG) must be a size as in 500MB, 10GB or 2TB'
  expect(await readConfig(['--config', file], {})).toEqual({ kind: 'invalid', message })
})

test.each([
  [
    ['--master', 'm:1', '--nginx', nginx, '--log-backlog', '10'],
    'log_backlog (--log-backlog, NXMESH_LOG_BACKLOG) must be a size as in 500MB',
  ],
  [['--master', 'm:1', '--nginx', nginx, '--log-backlog', '0MB'], 'must be a size as in 500MB'],
  [['--master', 'm:1', '--nginx', nginx, '--log-backlog', '15MB'], 'log_backlog (--log-backlog, NXMESH_LOG_BACKLOG) must be 16MB or more'],
  [['--nginx', nginx], 'master (--master, NXMESH_MASTER) is required'],
  [['--master', 'nowhere', '--nginx', nginx], 'must be host:port'],
  [['--master', 'm:99999', '--nginx', nginx], 'must be host:port'],
  [['--master', 'm:1', '--mode', 'both'], 'mode (--mode, NXMESH_NGINX_MODE) must be owned or include'],
  [['--master', 'm:1', '--token', 'abc'], 'must be a whole agent token'],
  [['--master', 'm:1', '--label', 'x'], '"x" is not a label'],
  [['--master', 'm:1', '--nginx', 'no-such-nginx'], 'no no-such-nginx is found'],
  [['--mastr', 'm:1'], "Unknown option '--mastr'"],
  [['--master', 'm:1', '--nginx', nginx, '--nginx-conf', '/etc/nginx/nginx.conf'], 'only has a meaning in include mode'],
])('%j is refused by name', async (argv, words) => {
  expect(await readConfig(argv, {})).toMatchObject({ kind: 'invalid', message: expect.stringContaining(words) })
})

test('an unknown setting of the file is refused by name, and secrets are not repeated', async () => {
  const file = join(directory, 'agent.yaml')
  await writeFile(file, 'master: m:1\nmastre: m:2\ntoken: hush\n')
  const parsed = await readConfig(['--config', file], {})
  expect(parsed).toMatchObject({ kind: 'invalid', message: expect.stringContaining('mastre: there is no such setting') })
  expect(JSON.stringify(parsed)).not.toContain('hush')
})

test('help names every flag and variable', async () => {
  const parsed = await readConfig(['--help'], {})
  for (const name of [
    '--master',
    '--token',
    '--data-dir',
    '--nginx',
    '--mode',
    '--label',
    '--ca-file',
    '--log-backlog',
    'NXMESH_TOKEN_FILE',
    'Exit codes',
  ]) {
    expect(parsed).toMatchObject({ kind: 'help', text: expect.stringContaining(name) })
  }
})
