/** Tells whether a directive is one of lua-nginx-module: it runs Lua, or says how Lua is run. */
export function isLua(name: string): boolean {
  return /^(lua_.+|.+_by_lua(_block|_file|_no_postpone)?|balancer_keepalive)$/.test(name)
}

/** Tells whether the code of a directive decides, before anything answers, whether and how a request goes on. */
export function decidesByLua(name: string): boolean {
  return /^((server_)?rewrite|access)_by_lua(_block|_file)?$/.test(name)
}
