import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { writeOnce } from './files.ts'

/** Encrypts what must not lie open in the database: AES-256-GCM under a key that is not in it. */
export interface Secrets {
  seal(text: string): string
  open: (sealed: string) => string
  /** A hash that tells texts apart and tells nothing of them to who has not the key. */
  fingerprint(text: string): string
}

/** Reads the secret key from a file of 32 bytes in base64, which is made with mode 0600 where `create` allows it. */
export async function openSecrets(file: string, create: boolean): Promise<Secrets> {
  if (create) await writeOnce(file, `${randomBytes(32).toString('base64')}\n`, 0o600)
  const bytes = Buffer.from((await readFile(file, 'utf8')).trim(), 'base64')
  if (bytes.length !== 32) throw new Error(`${file} must hold 32 bytes in base64`)
  // Node takes three times as long with a key that comes as bytes.
  const key = createSecretKey(bytes)
  const fingerprintKey = createSecretKey(Buffer.from(hkdfSync('sha256', key, '', 'fingerprint', 32)))
  return {
    fingerprint: (text) => createHmac('sha256', fingerprintKey).update(text).digest('hex'),
    seal(text) {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, iv)
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64')
    },
    open(sealed) {
      const parts = Buffer.from(sealed, 'base64')
      const decipher = createDecipheriv('aes-256-gcm', key, parts.subarray(0, 12)).setAuthTag(parts.subarray(12, 28))
      try {
        return Buffer.concat([decipher.update(parts.subarray(28)), decipher.final()]).toString('utf8')
      } catch (error) {
        throw new Error(`${file} is not the secret key that this database was written with`, { cause: error })
      }
    },
  }
}
