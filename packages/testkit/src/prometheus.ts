import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse, stringify } from 'yaml'
import { freePort } from './ports.ts'
import { until } from './until.ts'

export interface Prometheus extends AsyncDisposable {
  /** The answer to a query: the labels of each series and its value now. Throws what Prometheus says of a bad one. */
  query(promql: string): Promise<{ labels: Record<string, string>; value: number }[]>
  /** The names of the alerts that are pending or firing. */
  alerts(): Promise<string[]>
  /** How the last scrape of each target went, by the job. */
  targets(): Promise<Record<string, string>>
}

interface Config {
  global: { scrape_interval: string; scrape_timeout?: string; evaluation_interval?: string }
  scrape_configs: { scrape_timeout?: string; static_configs: { targets: string[] }[] }[]
}

/** Starts the Prometheus of the distribution with the config of a folder, which it copies: only the address of the master and the pace are others. */
export async function startPrometheus(
  folder: string,
  directory: string,
  { master, token }: { master: string; token: string },
): Promise<Prometheus> {
  await cp(folder, directory, { recursive: true })
  const file = join(directory, 'prometheus.yml')
  const config = parse(await readFile(file, 'utf8')) as Config
  config.global = { scrape_interval: '500ms', evaluation_interval: '500ms' }
  for (const job of config.scrape_configs) {
    delete job.scrape_timeout
    job.static_configs = [{ targets: [master] }]
  }
  await writeFile(file, stringify(config))
  await writeFile(join(directory, 'nxmesh-metrics-token'), token)
  const port = await freePort()
  const args = [`--config.file=${file}`, `--storage.tsdb.path=${join(directory, 'data')}`, `--web.listen-address=127.0.0.1:${port}`]
  const program = spawn('prometheus', args, { stdio: 'ignore' })
  await once(program, 'spawn')
  const get = async (path: string) => {
    const answer = (await (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json()) as { data: never; error?: string }
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer.data
  }
  const opened = {
    async query(promql: string) {
      const { result }: { result: { metric: Record<string, string>; value: [number, string] }[] } = await get(
        `query?query=${encodeURIComponent(promql)}`,
      )
      return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
    },
    async alerts() {
      const { alerts }: { alerts: { labels: { alertname: string } }[] } = await get('alerts')
      return alerts.map(({ labels }) => labels.alertname)
    },
    async targets() {
      const { activeTargets }: { activeTargets: { labels: { job: string }; health: string; lastError: string }[] } = await get('targets')
      return Object.fromEntries(activeTargets.map(({ labels, health, lastError }) => [labels.job, lastError || health]))
    },
    async [Symbol.asyncDispose]() {
      const ended = once(program, 'exit')
      if (program.exitCode === null && program.kill('SIGKILL')) await ended
    },
  }
  await until('Prometheus to answer', () => fetch(`http://127.0.0.1:${port}/-/ready`).then(({ ok }) => ok), 30)
  return opened
}

/** What promtool says; rejects where it finds something wrong. */
export async function promtool(args: string[], input = ''): Promise<string> {
  const running = promisify(execFile)('promtool', args)
  running.child.stdin!.end(input)
  const { stdout, stderr } = await running
  return `${stdout}${stderr}`
}
