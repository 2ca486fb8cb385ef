import type { Ctx } from '../../ctx.ts'
import type { DnsProvider } from './provider.ts'

export async function openProviderOf(_ctx: Ctx, _id: string): Promise<DnsProvider | undefined> {
  return undefined
}
