export interface StubStatus {
  active: number
  accepted: number
  handled: number
  requests: number
  reading: number
  writing: number
  waiting: number
}

/** The numbers of a stub_status page without the connection that asked for it, which is always active and writing. Source: ngx_http_stub_status_module. */
export function parseStubStatus(body: string): StubStatus | undefined {
  const active = /^Active connections:\s+(\d+)/m.exec(body)
  const totals = /^\s*(\d+)\s+(\d+)\s+(\d+)\s*$/m.exec(body)
  const states = /^Reading:\s+(\d+)\s+Writing:\s+(\d+)\s+Waiting:\s+(\d+)/m.exec(body)
  if (!active || !totals || !states) return undefined
  return {
    active: Math.max(0, Number(active[1]) - 1),
    accepted: Number(totals[1]),
    handled: Number(totals[2]),
    requests: Number(totals[3]),
    reading: Number(states[1]),
    writing: Math.max(0, Number(states[2]) - 1),
    waiting: Number(states[3]),
  }
}

interface Count {
  requests: number
  at: number
}

/** Requests of clients, without the agent's own questions, and their rate since the last question. A count that fell began anew with another nginx. */
export function requestMeter(): (counted: { requests: number; own: number; at: number }) => { total: number; perSecond: number } {
  let last: Count | undefined
  return ({ requests, own, at }) => {
    const total = Math.max(0, requests - own)
    const before = last
    last = { requests: total, at }
    if (!before || at <= before.at) return { total, perSecond: 0 }
    const grown = total >= before.requests ? total - before.requests : total
    return { total, perSecond: grown / ((at - before.at) / 1000) }
  }
}
