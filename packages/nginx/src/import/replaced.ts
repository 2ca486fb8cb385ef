import { moduleFiles } from '../facts.ts'

/** What NxMesh does by itself, so that nothing is lost where a configuration's own words for it are not taken over. */
const replaced: Readonly<Record<string, string>> = {
  user: 'the agent chooses the user of the workers',
  pid: 'the agent has a pid file of its own',
  daemon: 'the agent starts nginx',
  master_process: 'the agent starts nginx',
  working_directory: 'the agent has a folder of its own',
  lock_file: 'the agent has a folder of its own',
  error_log: 'the agent reads the errors and sends them on',
  access_log: 'the agent logs all requests and sends them on',
  log_format: 'requests are logged in the form that the agent reads',
  ssl_session_cache: 'NxMesh decides where TLS sessions are kept',
  client_body_temp_path: 'the agent has a folder of its own',
  proxy_temp_path: 'the agent has a folder of its own',
  fastcgi_temp_path: 'the agent has a folder of its own',
  uwsgi_temp_path: 'the agent has a folder of its own',
  scgi_temp_path: 'the agent has a folder of its own',
}

const loaded = new Set<string>(Object.values(moduleFiles).flat(2))

/** Why a directive need not be taken over, or undefined where it must. */
export function replacedBecause(name: string, args: readonly string[]): string | undefined {
  if (name === 'access_log' && args[0] === 'off') return undefined
  if (name === 'load_module' && loaded.has(args[0]?.split('/').at(-1) ?? ''))
    return 'the agent loads this module where a configuration needs it'
  return Object.hasOwn(replaced, name) ? replaced[name] : undefined
}
