import { ApiError } from '@nxmesh/api/errors'

/** Runs a write and turns the database's word that a unique index refused it into CONFLICT on `field`. */
export async function refusingDuplicate<T>(field: string, message: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (!isUniqueViolation(error)) throw error
    throw new ApiError('CONFLICT', message, [{ field, message, code: 'DUPLICATE' }], { cause: error })
  }
}

// SQLITE_CONSTRAINT_UNIQUE (2067) and SQLITE_CONSTRAINT_PRIMARYKEY (1555).
function isUniqueViolation(error: unknown): boolean {
  const { errcode } = error as { errcode?: number }
  return errcode === 2067 || errcode === 1555
}
