import 'reflect-metadata'
import { createHash, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'
import type { Kysely } from 'kysely'
import type { Database } from './db/schema.ts'
import { caAlgorithm, exportKey, importCaKey, newCa, newSerial } from './new-ca.ts'
import type { Secrets } from './secrets.ts'

/** The master's own CA: it names the master to its agents and the agents to the master. */
export interface Authority {
  caPem: string
  /** SHA-256 of the CA certificate's DER, in hexadecimal. */
  fingerprint: string
  /** A fresh key and certificate chain (CA included) for the master's own listener. */
  serverCertificate(names: string[]): Promise<{ certPem: string; keyPem: string }>
  /** A client certificate for the key of a PKCS #10 request (DER), CA included; undefined when the request does not prove its key. */
  issueAgentCertificate(csrDer: Uint8Array, agentId: string): Promise<string | undefined>
  /**
   * The agent that a client certificate (DER) of ours names, or undefined when it is not ours, not for clients or not of this
   * time. One that expired no longer than half a year ago is told apart: it is good for asking for a new one, because an agent
   * that was switched off for a week has nothing else, and revocation is looked up with every session.
   */
  agentOf(peerCertificateDer: Uint8Array): { agentId: string; issuedAt: number; expired: boolean } | undefined
}

const hour = 3_600_000
const day = 24 * hour
const agentLifetime = 72 * hour
const serverLifetime = 90 * day
// Certificates begin in the past, because the clocks of agents may be wrong.
const backdate = day
const renewable = 182 * day

const clientAuth = '1.3.6.1.5.5.7.3.2'
const serverAuth = '1.3.6.1.5.5.7.3.1'
const agentUri = 'spiffe://nxmesh/agent/'
const agentUriPattern = /^URI:spiffe:\/\/nxmesh\/agent\/([0-9a-f-]{36})$/
const csrLimit = 16_384

/** Opens the CA that the database keeps, made on first use: one even when several processes start at once. */
export async function openAuthority(db: Kysely<Database>, secrets: Secrets, now: () => number): Promise<Authority> {
  const row = (await readCa(db)) ?? (await makeCa(db, secrets, now))
  const caPem = row.certificate_pem!
  const ca = new x509.X509Certificate(caPem)
  const caNode = new X509Certificate(caPem)
  const caKey = await importCaKey(secrets.open(row.private_pem))

  async function issue(publicKey: x509.PublicKeyType, name: string, lifetime: number, extensions: x509.Extension[]): Promise<string> {
    const issuedAt = now()
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: newSerial(),
      subject: [{ CN: [name] }],
      issuer: ca.subjectName.toJSON(),
      notBefore: new Date(issuedAt - backdate),
      notAfter: new Date(issuedAt + lifetime),
      publicKey,
      signingKey: caKey,
      signingAlgorithm: caAlgorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        ...extensions,
        await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey),
      ],
    })
    return `${certificate.toString('pem').trim()}\n${caPem}`
  }

  return {
    caPem,
    fingerprint: createHash('sha256').update(caNode.raw).digest('hex'),

    async serverCertificate(names) {
      const keys = await crypto.subtle.generateKey(caAlgorithm, true, ['sign', 'verify'])
      const all = [...new Set(['nxmesh-master', 'localhost', '127.0.0.1', '::1', ...names])]
      const certPem = await issue(keys.publicKey, 'nxmesh-master', serverLifetime, [
        new x509.ExtendedKeyUsageExtension([serverAuth]),
        new x509.SubjectAlternativeNameExtension(all.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }))),
      ])
      return { certPem, keyPem: await exportKey(keys.privateKey) }
    },

    async issueAgentCertificate(csrDer, agentId) {
      const request = await provenRequest(csrDer)
      if (!request) return undefined
      return issue(request.publicKey, agentId, agentLifetime, [
        new x509.ExtendedKeyUsageExtension([clientAuth]),
        new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `${agentUri}${agentId}` }]),
      ])
    },

    agentOf(peerCertificateDer) {
      const certificate = parseCertificate(peerCertificateDer)
      if (!certificate?.checkIssued(caNode) || !certificate.verify(caNode.publicKey)) return undefined
      if (certificate.ca || !certificate.keyUsage?.includes(clientAuth)) return undefined
      const agentId = agentUriPattern.exec(certificate.subjectAltName ?? '')?.[1]
      const begins = certificate.validFromDate.getTime()
      const ends = certificate.validToDate.getTime()
      if (agentId === undefined || now() < begins - backdate || now() > ends + renewable) return undefined
      return { agentId, issuedAt: begins + backdate, expired: now() > ends }
    },
  }
}

async function readCa(db: Kysely<Database>) {
  return db.selectFrom('keys').selectAll().where('purpose', '=', 'ca').executeTakeFirst()
}

// The row's key is fixed, so of two processes that make a CA at once one loses and takes the other's.
async function makeCa(db: Kysely<Database>, secrets: Secrets, now: () => number) {
  const createdAt = now()
  const { certificatePem, keyPem } = await newCa('NxMesh CA', createdAt - backdate)
  await db
    .insertInto('keys')
    .values({
      kid: 'ca',
      purpose: 'ca',
      private_pem: secrets.seal(keyPem),
      certificate_pem: certificatePem,
      created_at: new Date(createdAt).toISOString(),
    })
    .onConflict((conflict) => conflict.column('kid').doNothing())
    .execute()
  const row = await readCa(db)
  if (!row) throw new Error('the CA could not be stored')
  return row
}

async function provenRequest(der: Uint8Array): Promise<x509.Pkcs10CertificateRequest | undefined> {
  if (der.length === 0 || der.length > csrLimit) return undefined
  try {
    const request = new x509.Pkcs10CertificateRequest(Uint8Array.from(der))
    return (await request.verify()) ? request : undefined
  } catch {
    return undefined
  }
}

function parseCertificate(der: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(der)
  } catch {
    return undefined
  }
}
