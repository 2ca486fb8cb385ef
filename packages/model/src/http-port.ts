/** The port of HTTP where the settings say none. */
export const defaultHttpPort = 80
