/** The release of this agent. */
export const version = '0.1.0'
