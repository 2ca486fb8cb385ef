import { ApiError } from '@nxmesh/api/errors'
import { isDuplicate } from './db/trouble.ts'

/** Runs a write and turns the database's word that a unique index refused it into CONFLICT on `field`. */
export async function refusingDuplicate<T>(field: string, message: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (!isDuplicate(error)) throw error
    throw new ApiError('CONFLICT', message, [{ field, message, code: 'DUPLICATE' }], { cause: error })
  }
}
