import { createPublicKey } from 'node:crypto'
import { type CryptoKey, exportJWK, exportPKCS8, generateKeyPair, importPKCS8, importSPKI, type JWK, jwtVerify, SignJWT } from 'jose'
import type { Kysely } from 'kysely'
import { alone } from './db/portable.ts'
import type { Database } from './db/schema.ts'
import type { Reconciler } from './reconcilers.ts'
import type { Secrets } from './secrets.ts'
import { openTokenMemory } from './token-memory.ts'
import { uuidv7 } from './uuid.ts'

/** What an access token says. */
export interface Claims {
  userId: string
  sessionId: string
}

/** What an access token of ours says, and when it ends, in milliseconds since the epoch. */
export interface Verified extends Claims {
  ends: number
}

/** Signs and reads access tokens: JWT, RS256 (RFC 7519), with keys that are replaced by and by. */
export interface Tokens {
  /** Seconds that an access token lives. */
  lifetime: number
  sign(claims: Claims): Promise<string>
  /** What an access token says, or undefined when it is not one of ours or has ended. */
  verify(token: string): Promise<Verified | undefined>
  /** The public keys of all tokens that are still good, newest first (RFC 7517). */
  readonly jwks: { keys: JWK[] }
  /** Makes a new key when the newest is old enough, forgets those whose tokens have all ended, and reads what is there. */
  rotate(): Promise<{ keys: number; made: boolean; forgotten: number }>
}

interface Key {
  kid: string
  created: number
  privateKey: CryptoKey
  publicKey: CryptoKey
  jwk: JWK
}

const day = 24 * 3_600_000
const lifetime = 3600
const age = 90 * day
// Another master signs with the old key until it has seen the new one.
const grace = day
const rereadAfter = 1000

/** Opens the signing keys kept in the database, making one on the first start. The newest signs, all verify. */
export async function openTokens(db: Kysely<Database>, secrets: Secrets, now: () => number): Promise<Tokens> {
  let keys = await readKeys(db, secrets)
  let readAt = now()
  const memory = openTokenMemory()
  if (keys.length === 0) {
    await makeKey(db, secrets, now)
    keys = await readKeys(db, secrets)
  }

  async function reread() {
    const known = new Map(keys.map((key) => [key.kid, key]))
    keys = await readKeys(db, secrets, known)
    readAt = now()
    memory.forgetAll()
  }

  // A key that another master has made is not known here yet; strangers' keys must not cost a query each.
  async function publicKeyOf(kid: string | undefined): Promise<CryptoKey> {
    const known = keys.find((key) => key.kid === kid)
    if (!known && Math.abs(now() - readAt) > rereadAfter) await reread()
    const found = known ?? keys.find((key) => key.kid === kid)
    if (!found) throw new Error('unknown key')
    return found.publicKey
  }

  return {
    lifetime,
    get jwks() {
      return { keys: keys.map((key) => key.jwk) }
    },
    sign({ userId, sessionId }) {
      const seconds = Math.floor(now() / 1000)
      const { kid, privateKey } = keys[0]!
      return new SignJWT({ sid: sessionId })
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid })
        .setSubject(userId)
        .setIssuer('nxmesh')
        .setIssuedAt(seconds)
        .setExpirationTime(seconds + lifetime)
        .setJti(uuidv7(now()))
        .sign(privateKey)
    },
    async verify(token) {
      const known = memory.get(token, now())
      if (known) return known
      try {
        const { payload } = await jwtVerify(token, ({ kid }) => publicKeyOf(kid), {
          algorithms: ['RS256'],
          issuer: 'nxmesh',
          currentDate: new Date(now()),
        })
        const { sub, sid, exp = 0 } = payload
        if (sub === undefined || typeof sid !== 'string') return undefined
        const verified = { userId: sub, sessionId: sid, ends: exp * 1000 }
        memory.set(token, verified)
        return verified
      } catch {
        return undefined
      }
    },
    rotate: () =>
      alone(db, async () => {
        await reread()
        const made = now() - keys[0]!.created > age
        if (made) await makeKey(db, secrets, now)
        // Each key but the newest has signed until the next one came.
        const ended = keys.filter((_key, index) => index > 0 && now() - keys[index - 1]!.created > lifetime * 1000 + grace)
        for (const { kid } of ended) await db.deleteFrom('keys').where('kid', '=', kid).execute()
        if (made || ended.length > 0) await reread()
        return { keys: keys.length, made, forgotten: ended.length }
      }),
  }
}

/** Replaces the signing key by and by. */
export function signingKeysReconciler({ tokens }: { tokens: Tokens }): Reconciler {
  return { name: 'signing-keys', every: 3_600_000, run: () => tokens.rotate() }
}

async function readKeys(db: Kysely<Database>, secrets: Secrets, known = new Map<string, Key>()): Promise<Key[]> {
  const rows = await db
    .selectFrom('keys')
    .select(['kid', 'private_pem', 'created_at'])
    .where('purpose', '=', 'jwt')
    .orderBy('created_at', 'desc')
    .orderBy('kid', 'desc')
    .execute()
  return Promise.all(rows.map(async (row) => known.get(row.kid) ?? keyOf(row.kid, row.created_at, secrets.open(row.private_pem))))
}

async function keyOf(kid: string, createdAt: string, pem: string): Promise<Key> {
  const spki = createPublicKey(pem).export({ type: 'spki', format: 'pem' }) as string
  const publicKey = await importSPKI(spki, 'RS256', { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid, use: 'sig', alg: 'RS256' }
  return { kid, created: Date.parse(createdAt), privateKey: await importPKCS8(pem, 'RS256'), publicKey, jwk }
}

async function makeKey(db: Kysely<Database>, secrets: Secrets, now: () => number): Promise<void> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true, modulusLength: 2048 })
  const private_pem = secrets.seal(await exportPKCS8(privateKey))
  const created_at = new Date(now()).toISOString()
  await db
    .insertInto('keys')
    .values({ kid: uuidv7(now()), purpose: 'jwt', private_pem, certificate_pem: null, created_at })
    .execute()
}
