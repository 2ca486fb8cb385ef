import 'reflect-metadata'
import { createPublicKey } from 'node:crypto'
import { isIP } from 'node:net'
import type { KeyType } from '@nxmesh/model/certificate'
import { readCertificate } from '@nxmesh/model/x509'
import * as x509 from '@peculiar/x509'
import type { Kysely } from 'kysely'
import { type Ctx, timestamp } from '../ctx.ts'
import type { Database } from '../db/schema.ts'
import { caAlgorithm, importCaKey, newCa, newSerial } from '../new-ca.ts'
import { newCertificateKey } from './acme/csr.ts'
import { type Material, readMaterial } from './material.ts'

interface Authority {
  certificate_pem: string
  sealed_key: string
}

const day = 86_400_000
const lifetime = 90 * day
// Clocks of hosts may be behind.
const backdate = 3_600_000
const serverAuth = '1.3.6.1.5.5.7.3.1'

/** The CA of a workspace for what is not for the public, made on first use. */
export async function workspaceAuthority(ctx: Pick<Ctx, 'db' | 'secrets' | 'now'>, workspaceId: string): Promise<Authority> {
  const found = await read(ctx.db, workspaceId)
  if (found) return found
  const made = await make(ctx)
  await ctx.db
    .insertInto('certificate_authorities')
    .values({ workspace_id: workspaceId, ...made, created_at: timestamp(ctx) })
    .onConflict((conflict) => conflict.column('workspace_id').doNothing())
    .execute()
  // Of two that make one at once, one takes the other's.
  return (await read(ctx.db, workspaceId)) ?? made
}

/** The CA of a workspace as the API shows it. */
export async function getCertificateAuthority(ctx: Ctx, workspaceId: string) {
  const { certificate_pem } = await workspaceAuthority(ctx, workspaceId)
  const { not_after: expires_at, fingerprint } = readCertificate(certificate_pem)!
  return { workspace_id: workspaceId, certificate_pem, expires_at, fingerprint }
}

/** A certificate for names by the CA of a workspace, good for 90 days, with a new key. */
export async function selfSigned(
  ctx: Pick<Ctx, 'db' | 'secrets' | 'now'>,
  workspaceId: string,
  names: readonly string[],
  keyType: KeyType,
): Promise<Material> {
  const authority = await workspaceAuthority(ctx, workspaceId)
  const ca = new x509.X509Certificate(authority.certificate_pem)
  const private_key_pem = await newCertificateKey(keyType)
  const publicKey = new x509.PublicKey(createPublicKey(private_key_pem).export({ type: 'spki', format: 'der' }))
  const now = ctx.now()
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [{ CN: [names[0]!.slice(0, 64)] }],
    issuer: ca.subjectName.toJSON(),
    notBefore: new Date(now - backdate),
    notAfter: new Date(Math.min(now + lifetime, ca.notAfter.getTime())),
    publicKey,
    signingKey: await importCaKey(ctx.secrets.open(authority.sealed_key)),
    signingAlgorithm: caAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension([serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }))),
      await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  })
  const read = readMaterial(certificate.toString('pem'), private_key_pem, now)
  if (!read.ok) throw new Error(`the certificate that was made is not sound: ${read.problems[0]!.message}`)
  return read.material
}

async function read(db: Kysely<Database>, workspaceId: string): Promise<Authority | undefined> {
  return db
    .selectFrom('certificate_authorities')
    .select(['certificate_pem', 'sealed_key'])
    .where('workspace_id', '=', workspaceId)
    .executeTakeFirst()
}

async function make({ secrets, now }: Pick<Ctx, 'secrets' | 'now'>): Promise<Authority> {
  const { certificatePem, keyPem } = await newCa('NxMesh workspace CA', now() - backdate)
  return { certificate_pem: certificatePem, sealed_key: secrets.seal(keyPem) }
}
