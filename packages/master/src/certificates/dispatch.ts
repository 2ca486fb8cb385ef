import type { Ctx } from '../ctx.ts'
import type { CertificateOrderRow } from '../db/schema-certificates.ts'
import type { Reconciler } from '../reconcilers.ts'
import { beginDue, tellEnding } from './due.ts'
import { installTogether } from './install-together.ts'
import { claimOrders } from './orders.ts'
import { askRenewalInfo } from './renewal-info.ts'
import { runOrder } from './run-order.ts'

/** Gets and renews certificates. */
export interface CertificateDispatch extends AsyncDisposable {
  reconciler: Reconciler
}

const mostAtOnce = 20

export function openCertificateDispatch(ctx: Ctx): CertificateDispatch {
  const stop = new AbortController()
  const install = installTogether(ctx)
  const underWay = new Set<Promise<void>>()
  let asking: Promise<void> | undefined

  function start(order: CertificateOrderRow): void {
    const running = runOrder(ctx, order, install, stop.signal)
      // Nothing is lost: it is taken up again where it was when the lease is over.
      .catch((error: unknown) => ctx.log.warn({ err: error, order: order.id }, 'an order was broken off'))
      .finally(() => {
        underWay.delete(running)
        if (!stop.signal.aborted) ctx.wake('certificates')
      })
    underWay.add(running)
  }

  // A CA that is away must hold up nothing else.
  function ask(): void {
    asking ??= askRenewalInfo(ctx, stop.signal)
      .catch((error: unknown) => ctx.log.warn({ err: error }, 'the CAs were not asked when they want certificates renewed'))
      .finally(() => {
        asking = undefined
      })
  }

  return {
    reconciler: {
      name: 'certificates',
      every: 5000,
      async run() {
        const begun = await beginDue(ctx)
        const room = mostAtOnce - underWay.size
        if (room > 0 && !stop.signal.aborted) for (const order of await claimOrders(ctx, room)) start(order)
        if (!stop.signal.aborted) ask()
        return { begun, told: await tellEnding(ctx), under_way: underWay.size }
      },
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      ctx.acme.stop()
      await Promise.all([...underWay, asking])
    },
  }
}
