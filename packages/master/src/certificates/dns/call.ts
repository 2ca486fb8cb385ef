import { type Outbound, type OutboundRequest } from '../../outbound/outbound.ts'
import { troubleOf } from '../../outbound/trouble.ts'

export type Called = { ok: true; status: number; text: string } | { ok: false; message: string; retry: true }

const deadline = 15_000
const mostRead = 1_000_000

/** Sends a request to the API of a provider; an answer of any status is one. */
export async function call(outbound: Outbound, request: Omit<OutboundRequest, 'signal' | 'mostRead'>): Promise<Called> {
  const signal = AbortSignal.timeout(deadline)
  const headers = { 'user-agent': 'NxMesh', ...request.headers }
  try {
    const { status, body } = await outbound.exchange({ ...request, headers, signal, mostRead })
    return { ok: true, status, text: body.toString('utf8') }
  } catch (error) {
    const trouble = signal.aborted ? `no answer within ${deadline / 1000} s` : troubleOf(error)
    return { ok: false, message: `${new URL(request.url).host}: ${trouble}`, retry: true }
  }
}

/** Whether a request that was answered with this may be answered otherwise later. */
export function isPassing(status: number): boolean {
  return status === 429 || status >= 500
}
