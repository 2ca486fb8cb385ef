import { readFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Finding } from '@nxmesh/model/agent'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import { directivesNamed, singleAddress } from '@nxmesh/nginx/directives-named'
import type { Directive } from '@nxmesh/nginx/parse'
import { readStatement } from '@nxmesh/nginx/render/custom-directives'
import { readConfigFiles } from './config-files.ts'
import type { Scope } from './scope.ts'

type Machine = Pick<Scope, 'installation' | 'paths' | 'hostConf'>
type Place = Pick<Finding, 'kind' | 'id' | 'name' | 'field'>

/** What `nginx -t` says of the limits of the test, which are not those of the nginx that runs. */
export const limitOfTheTest = /worker_connections exceed open file resource limit/

/** What nginx takes without a word and cannot do on this machine. `master` is the process that will load the config; without one it is started by this one. */
export async function machineFindings(machine: Machine, config: AgentConfig, master: number | undefined): Promise<Finding[]> {
  const host = machine.installation.mode === 'include' ? await hostDirectives(machine) : undefined
  return [
    ...connectionFindings(config, host, await openFilesOf(master ?? process.pid)),
    ...(host ? hiddenFindings(config, host) : []),
    ...(await missingFiles(config, host ? dirname(machine.hostConf) : machine.paths.current)),
  ]
}

const wanted = new Set(['listen', 'worker_connections', 'worker_rlimit_nofile'])

async function hostDirectives({ hostConf, paths }: Machine): Promise<Directive[]> {
  const files = await readConfigFiles(hostConf, join(paths.current, 'http.conf'))
  return files.ok ? [...files.directives.values()].flatMap((directives) => directivesNamed(directives, wanted)) : []
}

/** How many files a process may open. Source: proc_pid_limits(5). */
export async function openFilesOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/limits`, 'utf8').catch(() => '')
  const soft = /^Max open files\s+(\d+)/m.exec(text)?.[1]
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft)
}

/** Source: nginx, ngx_event_core_module: a host that says nothing has 512 connections; our own nginx.conf says 1024. */
function connectionFindings({ settings }: AgentConfig, host: Directive[] | undefined, openFiles: number): Finding[] {
  const said = (name: string) =>
    Number(host ? host.find((directive) => directive.name === name)?.args[0]?.value : settings.nginx_directives[name]?.replace(';', ''))
  const connections = said('worker_connections') || (host ? 512 : 1024)
  const limit = said('worker_rlimit_nofile') || openFiles
  if (connections <= limit) return []
  const place: Place = host ? {} : { kind: 'settings', field: 'nginx_directives.worker_connections' }
  const where = host ? " in the host's nginx.conf" : ''
  const message = `a worker may open ${limit} files only, too few for worker_connections ${connections}${where}: raise the limit of the service or set worker_rlimit_nofile`
  return [{ severity: 'warning', message, ...place }]
}

function hiddenFindings({ virtual_hosts }: AgentConfig, host: Directive[]): Finding[] {
  const listens = host.flatMap(({ name, args }) => (name === 'listen' ? (singleAddress(args[0]?.value ?? '') ?? []) : []))
  return virtual_hosts.flatMap(({ id, name, listen_port }): Finding[] => {
    const hiding = [...new Set(listens.filter(({ port }) => port === listen_port).map(({ address }) => address))]
    if (hiding.length === 0) return []
    const message = `requests to ${hiding.join(', ')} on this port never come here: a server in the host's own nginx configuration listens on that address`
    return [{ severity: 'warning', message, kind: 'virtual_host', id, name, field: 'listen_port' }]
  })
}

async function missingFiles({ virtual_hosts, settings }: AgentConfig, directory: string): Promise<Finding[]> {
  const levels: [Readonly<Record<string, string>>, Place][] = [
    [settings.nginx_directives, { kind: 'settings', field: 'nginx_directives' }],
    ...virtual_hosts.flatMap(({ id, name, custom_directives, locations }): [Record<string, string>, Place][] => [
      [custom_directives, { kind: 'virtual_host', id, name, field: 'custom_directives' }],
      ...locations.map((location, at): [Record<string, string>, Place] => [
        location.custom_directives,
        { kind: 'virtual_host', id, name, field: `locations.${at}.custom_directives` },
      ]),
    ]),
  ]
  const findings = levels.map(async ([directives, place]): Promise<Finding[]> => {
    const value = directives['auth_basic_user_file']
    if (value === undefined) return []
    const read = readStatement('auth_basic_user_file', value)
    const path = read.ok ? read.statement.args[0] : undefined
    if (path === undefined || path.includes('$')) return []
    const found = await stat(resolve(directory, path)).catch(() => undefined)
    if (found?.isFile()) return []
    const message = `there is no file ${path} on this host: nginx answers 403 to whoever signs in`
    return [{ severity: 'warning', message, ...place, field: `${place.field}.auth_basic_user_file` }]
  })
  return (await Promise.all(findings)).flat()
}
