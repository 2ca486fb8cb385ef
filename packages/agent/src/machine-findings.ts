import { readFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Finding } from '@nxmesh/model/agent'
import type { AgentConfig, ConfigVirtualHost } from '@nxmesh/model/agent-config'
import { directivesNamed, singleAddress } from '@nxmesh/nginx/directives-named'
import type { Directive } from '@nxmesh/nginx/parse'
import { type CustomStatement, readCustomDirectives } from '@nxmesh/nginx/render/read-custom'
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
  const own = host ? [] : ofSettings(settings)
  const said = (name: string) => {
    const value = host?.find((directive) => directive.name === name)?.args[0]?.value ?? own.find((each) => each.name === name)?.args[0]
    return Number(value)
  }
  const connections = said('worker_connections') || (host ? 512 : 1024)
  const limit = said('worker_rlimit_nofile') || openFiles
  if (connections <= limit) return []
  const statement = own.find(({ name }) => name === 'worker_connections')
  const field = statement ? settingField(statement) : 'nginx_directives.worker_connections'
  const place: Place = host ? {} : { kind: 'settings', field }
  const where = host ? " in the host's nginx.conf" : ''
  const message = `a worker may open ${limit} files only, too few for worker_connections ${connections}${where}: raise the limit of the service or set worker_rlimit_nofile`
  return [{ severity: 'warning', message, ...place }]
}

function hiddenFindings({ virtual_hosts }: AgentConfig, host: Directive[]): Finding[] {
  const listens = host.flatMap(({ name, args }) => (name === 'listen' ? (singleAddress(args[0]?.value ?? '') ?? []) : []))
  return virtual_hosts.flatMap(({ id, name, listen_port, listen_addresses }): Finding[] => {
    if (listen_addresses) return []
    const hiding = [...new Set(listens.filter(({ port }) => port === listen_port).map(({ address }) => address))]
    if (hiding.length === 0) return []
    const message = `requests to ${hiding.join(', ')} on this port never come here: a server in the host's own nginx configuration listens on that address`
    return [{ severity: 'warning', message, kind: 'virtual_host', id, name, field: 'listen_port' }]
  })
}

async function missingFiles({ virtual_hosts, settings }: AgentConfig, directory: string): Promise<Finding[]> {
  const named = [
    ...ofSettings(settings).map((statement): [CustomStatement, Place] => [statement, { kind: 'settings', field: settingField(statement) }]),
    ...virtual_hosts.flatMap((host) =>
      passwordFiles(host).map((statement): [CustomStatement, Place] => {
        return [statement, { kind: 'virtual_host', id: host.id, name: host.name, field: statement.field }]
      }),
    ),
  ].filter(([{ name }]) => name === passwords)
  const findings = named.map(async ([{ args }, place]): Promise<Finding[]> => {
    const [path] = args
    if (path === undefined || path.includes('$')) return []
    const found = await stat(resolve(directory, path)).catch(() => undefined)
    if (found?.isFile()) return []
    return [{ severity: 'warning', message: `there is no file ${path} on this host: nginx answers 403 to whoever signs in`, ...place }]
  })
  return (await Promise.all(findings)).flat()
}

const leftOut = () => undefined

function ofSettings({ nginx_directives, extra_directives }: AgentConfig['settings']): readonly CustomStatement[] {
  return readCustomDirectives({ custom_directives: nginx_directives, extra_directives }, 'settings', leftOut).statements
}

function settingField({ field }: CustomStatement): string {
  return field.replace('custom_directives', 'nginx_directives')
}

const passwords = 'auth_basic_user_file'

// Of thousands of levels few name a file, and to read a directive costs more than to see that it is not there.
function passwordFiles(host: ConfigVirtualHost): CustomStatement[] {
  const read = (level: Pick<ConfigVirtualHost, 'custom_directives' | 'extra_directives'>, within: 'server' | 'location') => {
    const { custom_directives, extra_directives = [] } = level
    if (!Object.hasOwn(custom_directives, passwords) && !extra_directives.some((text) => text.includes(passwords))) return []
    return readCustomDirectives(level, within, leftOut).statements
  }
  const inLocations = host.locations.flatMap((location, at) =>
    read(location, 'location').map((each) => ({ ...each, field: `locations.${at}.${each.field}` })),
  )
  return [...read(host, 'server'), ...inLocations]
}
