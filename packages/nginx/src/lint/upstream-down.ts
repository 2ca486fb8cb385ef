import { found, type LintFinding } from './finding.ts'
import type { LintSubject } from './subject.ts'

const rule = {
  severity: 'error',
  code: 'upstream_down',
  source: 'https://nginx.org/en/docs/http/ngx_http_upstream_module.html#server',
} as const

/** An upstream whose servers are all marked as down: nginx takes it, and answers 502. */
export function upstreamDown({ upstreams }: LintSubject): LintFinding[] {
  return upstreams
    .filter(({ servers }) => servers.every(({ down }) => down))
    .map(({ id, name }) =>
      found(
        rule,
        { kind: 'upstream', id, name },
        'servers',
        'all its servers are down: requests are answered with 502',
        'take "down" from one of them',
      ),
    )
}
