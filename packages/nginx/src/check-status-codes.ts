/** Says which status code of a `return` or `error_page` nginx does not take, or undefined. Source: nginx, ngx_http_rewrite_return and ngx_http_core_error_page. */
export function statusCodeProblem(name: string, args: readonly string[]): string | undefined {
  if (name === 'return') {
    const [code = ''] = args
    return /^\d+$/.test(code) && Number(code) > 999 ? `"${code}" is not a status code: nginx takes up to 999` : undefined
  }
  if (name !== 'error_page') return undefined
  const codes = args.slice(0, -1).filter((word) => !word.startsWith('='))
  const wrong = codes.find((code) => !/^\d+$/.test(code) || Number(code) < 300 || Number(code) > 599 || Number(code) === 499)
  return wrong === undefined ? undefined : `"${wrong}" is not a status code that can have a page: nginx takes 300 to 599, but not 499`
}

/** Says which errors an `error_page` turns into a success, or undefined: clients, caches and monitors then take the page for what was asked. */
export function hiddenErrors(name: string, args: readonly string[]): string | undefined {
  if (name !== 'error_page') return undefined
  const status = /^=([123]\d\d)$/.exec(args.at(-2) ?? '')?.[1]
  const codes = args.slice(0, -2).filter((code) => Number(code) >= 400)
  if (status === undefined || codes.length === 0) return undefined
  return `answers ${codes.join(', ')} as ${status}: clients cannot tell the error from an answer`
}
