import 'reflect-metadata'
import { randomBytes, type webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const small = { name: 'RSASSA-PKCS1-v1_5', modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' } as const
const hour = 3_600_000

type Keys = webcrypto.CryptoKeyPair

/** A certificate and its key as PEM. */
export interface Issued {
  certPem: string
  keyPem: string
}

/** A leaf with the intermediate and the root that it comes from. */
export interface Chain extends Issued {
  intermediatePem: string
  rootPem: string
}

export interface ChainOptions {
  names: string[]
  /** Milliseconds since the epoch; an hour ago and in ninety days by themselves. */
  notBefore?: number
  notAfter?: number
  /** The address of a responder that says whether it is revoked. */
  ocsp?: string
  /** How the names of its authorities begin. OpenSSL finds issuers by their names. */
  prefix?: string
  /** What of it TLS libraries no longer take: the key of the leaf, that of its issuer, or the hash that the issuer signed. */
  weak?: 'leaf' | 'intermediate' | 'hash'
}

/** A certificate for a server that is its own CA. */
export async function selfSignedServer(names: string[]): Promise<Issued> {
  const keys = await newKeys()
  const times = { notBefore: new Date(Date.now() - hour), notAfter: new Date(Date.now() + 24 * hour) }
  const extensions = [new x509.BasicConstraintsExtension(true, 0, true), alternatives(names)]
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [names[0]!] }],
    keys,
    signingAlgorithm: algorithm,
    extensions,
    ...times,
  })
  return { certPem: pemOf(made), keyPem: await keyOf(keys) }
}

/** A chain as public CAs issue it. */
export async function newChain({
  names,
  notBefore = Date.now() - hour,
  notAfter = Date.now() + 90 * 24 * hour,
  ocsp,
  prefix = '',
  weak,
}: ChainOptions): Promise<Chain> {
  const root = await newKeys()
  const middle = await newKeys(weak === 'intermediate' ? small : algorithm)
  const leaf = await newKeys(weak === 'leaf' ? small : algorithm)
  const [rootName, middleName] = [`${prefix}Root`, `${prefix}Intermediate`]
  const long = { notBefore: new Date(Date.now() - 1000 * 24 * hour), notAfter: new Date(Date.now() + 1000 * 24 * hour) }
  const ca = [new x509.BasicConstraintsExtension(true, undefined, true)]
  const rootPem = pemOf(
    await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serial(),
      name: [{ CN: [rootName] }],
      keys: root,
      signingAlgorithm: algorithm,
      extensions: ca,
      ...long,
    }),
  )
  const sign = async (
    subject: string,
    issuer: string,
    publicKey: webcrypto.CryptoKey,
    by: Keys,
    extensions: x509.Extension[],
    times: object,
  ) =>
    pemOf(
      await x509.X509CertificateGenerator.create({
        serialNumber: serial(),
        subject: [{ CN: [subject] }],
        issuer: [{ CN: [issuer] }],
        publicKey,
        signingKey: by.privateKey,
        signingAlgorithm: by === middle ? signing : algorithm,
        extensions,
        ...times,
      }),
    )
  const signing = weak === 'intermediate' ? small : weak === 'hash' ? { ...algorithm, hash: 'SHA-1' } : algorithm
  const responder = ocsp === undefined ? [] : [new x509.AuthorityInfoAccessExtension({ ocsp })]
  const times = { notBefore: new Date(notBefore), notAfter: new Date(notAfter) }
  return {
    certPem: await sign(names[0]!, middleName, leaf.publicKey, middle, [alternatives(names), ...responder], times),
    intermediatePem: await sign(middleName, rootName, middle.publicKey, root, ca, long),
    rootPem,
    keyPem: await keyOf(leaf),
  }
}

async function newKeys(kind: typeof algorithm | typeof small = algorithm): Promise<Keys> {
  return crypto.subtle.generateKey(kind, true, ['sign', 'verify'])
}

function alternatives(names: string[]) {
  return new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value })))
}

function serial(): string {
  return `01${randomBytes(8).toString('hex')}`
}

function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`
}

async function keyOf({ privateKey }: Keys): Promise<string> {
  return x509.PemConverter.encode(Buffer.from(await crypto.subtle.exportKey('pkcs8', privateKey)), 'PRIVATE KEY')
}
