import { createPublicKey } from 'node:crypto'
import { exportJWK, exportPKCS8, generateKeyPair, importPKCS8, importSPKI, type JWK, jwtVerify, SignJWT } from 'jose'
import type { Kysely } from 'kysely'
import type { Database } from './db/schema.ts'
import type { Secrets } from './secrets.ts'
import { uuidv7 } from './uuid.ts'

/** Signs and reads access tokens: JWT, RS256 (RFC 7519, RFC 9068). */
export interface Tokens {
  /** Seconds that an access token lives. */
  lifetime: number
  sign(userId: string): Promise<string>
  /** The user an access token speaks for, or undefined when it is not one of ours or has ended. */
  verify(token: string): Promise<string | undefined>
  jwks: { keys: JWK[] }
}

const lifetime = 3600

/** Opens the signing key kept in the database, making one on the first start. */
export async function openTokens(db: Kysely<Database>, secrets: Secrets, now: () => number): Promise<Tokens> {
  const { kid, pem } = await signingKey(db, secrets, now)
  const privateKey = await importPKCS8(pem, 'RS256')
  const spki = createPublicKey(pem).export({ type: 'spki', format: 'pem' }) as string
  const publicKey = await importSPKI(spki, 'RS256', { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid, use: 'sig', alg: 'RS256' }
  return {
    lifetime,
    jwks: { keys: [jwk] },
    sign(userId) {
      const seconds = Math.floor(now() / 1000)
      return new SignJWT({})
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid })
        .setSubject(userId)
        .setIssuer('nxmesh')
        .setIssuedAt(seconds)
        .setExpirationTime(seconds + lifetime)
        .setJti(uuidv7(now()))
        .sign(privateKey)
    },
    async verify(token) {
      try {
        const { payload, protectedHeader } = await jwtVerify(token, publicKey, {
          algorithms: ['RS256'],
          issuer: 'nxmesh',
          currentDate: new Date(now()),
        })
        return protectedHeader.kid === kid ? payload.sub : undefined
      } catch {
        return undefined
      }
    },
  }
}

async function signingKey(db: Kysely<Database>, secrets: Secrets, now: () => number): Promise<{ kid: string; pem: string }> {
  const read = () =>
    db.selectFrom('keys').select(['kid', 'private_pem']).where('purpose', '=', 'jwt').orderBy('created_at', 'desc').executeTakeFirst()
  const kept = await read()
  if (kept) return { kid: kept.kid, pem: secrets.open(kept.private_pem) }
  const { privateKey } = await generateKeyPair('RS256', { extractable: true, modulusLength: 2048 })
  const pem = await exportPKCS8(privateKey)
  const kid = uuidv7(now())
  const created_at = new Date(now()).toISOString()
  await db
    .insertInto('keys')
    .values({ kid, purpose: 'jwt', private_pem: secrets.seal(pem), certificate_pem: null, created_at })
    .execute()
  return { kid, pem }
}
