import { setTimeout as delay } from 'node:timers/promises'
import type { AcmeAccount, AcmeClient } from '@nxmesh/master/certificates/acme/client'
import { csrOf, newCertificateKey } from '@nxmesh/master/certificates/acme/csr'
import type { AcmeResult } from '@nxmesh/master/certificates/acme/problem'

// Longer than the CA is at work on anything.
const aMoment = 1000

export interface Ordered {
  domain: string
  certificate_pem: string
  private_key_pem: string
}

/** Orders a certificate with the ACME client and nothing else: what a renewal cannot do without. */
export async function order(client: AcmeClient, account: AcmeAccount, domain: string): Promise<Ordered> {
  const private_key_pem = await newCertificateKey('ec256')
  const { url, authorizations } = good(await client.newOrder(account, { names: [domain], profile: null, replaces: null }))
  for (const one of authorizations) {
    const { challenges } = good(await client.authorization(account, one))
    good(await client.respond(account, challenges.find(({ type }) => type === 'http-01')!.url))
    await delay(aMoment)
    good(await client.authorization(account, one))
  }
  good(await client.finalize(account, good(await client.order(account, url)), await csrOf([domain], private_key_pem)))
  await delay(aMoment)
  const { certificate } = good(await client.order(account, url))
  return { domain, certificate_pem: good(await client.certificate(account, certificate!)), private_key_pem }
}

export function good<T>(result: AcmeResult<T>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.problem))
  return result.value
}
