import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startNginx } from '../src/nginx.ts'
import type { Bench } from './testing.ts'

export interface HostNginx {
  conf: string
  pid: string
  /** Writes the host's nginx.conf; `http` goes into its http block beside our include line. */
  write(parts: { http?: string; include?: boolean }): Promise<void>
  start(): Promise<void>
}

/** An nginx as a host has it: a config of its own, with a relative include, in a folder of its own. */
export async function hostNginx(bench: Bench, binary: string): Promise<HostNginx> {
  const directory = join(bench.directory, 'host')
  await mkdir(join(directory, 'conf.d'), { recursive: true })
  await writeFile(join(directory, 'conf.d/own.conf'), 'server_tokens off;\n')
  const conf = join(directory, 'nginx.conf')
  const pid = join(directory, 'nginx.pid')
  const line = `include ${join(bench.data, 'current/http.conf')};`
  return {
    conf,
    pid,
    async write({ http = '', include = true }) {
      const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `  ${kind}_temp_path ${directory}/${kind};`)
      await writeFile(
        conf,
        [
          `pid ${pid};`,
          `error_log ${directory}/error.log;`,
          'events { worker_connections 128; }',
          'http {',
          '  access_log off;',
          ...temporary,
          '  include conf.d/*.conf;',
          `  ${http}`,
          include ? `  ${line}` : '',
          '}',
          '',
        ].join('\n'),
      )
    },
    async start() {
      const { ok, output } = await startNginx({ binary, prefix: undefined, conf })
      if (!ok) throw new Error(output)
    },
  }
}
