/** The variable that holds the id of the virtual host that a request was for. */
export const virtualHostVariable = '$nxmesh_virtual_host'

/** The fields of a line of the access log and nginx's variables for them. Those that an agent counts come first, what clients choose comes last. */
export const accessLogFields = [
  ['msec', '$msec'],
  ['request_id', '$request_id'],
  ['virtual_host', virtualHostVariable],
  ['status', '$status'],
  ['request_bytes', '$request_length'],
  ['bytes_sent', '$bytes_sent'],
  ['request_time', '$request_time'],
  ['body_bytes_sent', '$body_bytes_sent'],
  ['remote_addr', '$remote_addr'],
  ['upstream_addr', '$upstream_addr'],
  ['upstream_status', '$upstream_status'],
  ['upstream_response_time', '$upstream_response_time'],
  ['protocol', '$server_protocol'],
  ['method', '$request_method'],
  ['host', '$host'],
  ['uri', '$request_uri'],
  ['referer', '$http_referer'],
  ['user_agent', '$http_user_agent'],
] as const

export type AccessLogField = (typeof accessLogFields)[number][0]

/** The name of the format of our log. */
export const accessLogName = 'nxmesh'

/** Every field is quoted, numbers too: nginx writes "-", "" or a list where there is no single number. */
export const accessLogFormat = `log_format ${accessLogName} escape=json '{${accessLogFields.map(([name, variable]) => `"${name}":"${variable}"`).join(',')}}';`

/** Where an agent has its nginx log requests. */
export function accessLogPath(runtimeDirectory: string): string {
  return `${runtimeDirectory}/access.log`
}
