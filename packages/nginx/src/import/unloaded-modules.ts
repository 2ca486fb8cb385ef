/** Directives of dynamic modules that no agent loads, by the file of the module. */
const modules: Readonly<Record<string, RegExp>> = {
  ngx_http_auth_pam_module: /^auth_pam/,
  ngx_http_upstream_fair_module: /^(fair|upstream_fair_shm_size)$/,
  ngx_http_uploadprogress_module: /^(upload_progress|track_uploads|report_uploads)/,
  ngx_http_vhost_traffic_status_module: /^vhost_traffic_status/,
  ngx_http_modsecurity_module: /^modsecurity/,
  ngx_nchan_module: /^nchan_/,
  ngx_pagespeed: /^pagespeed$/,
}

/** The module that a directive is of, among those whose `load_module` cannot be taken over. */
export function ofUnloadedModule(name: string, lost: ReadonlyMap<string, string>): string | undefined {
  const module = Object.keys(modules).find((each) => modules[each]!.test(name))
  if (module === undefined) return undefined
  return [...lost.keys()].find((path) => path.endsWith(`${module}.so`))
}
