/** Where a broker listens. IPv6 hosts are held without brackets. */
export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

export type ParsedBrokerAddress =
  | { readonly ok: true; readonly address: BrokerAddress }
  | { readonly ok: false; readonly reason: string }

const hostName = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/
const ipv6 = /^[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?$/

/**
 * Reads `host:port`, with IPv6 hosts in brackets: `[::1]:9092`. Listener prefixes as in Java's configuration
 * (`PLAINTEXT://`) are refused with a reason, because TLS is declared elsewhere.
 */
export function parseBrokerAddress(text: string): ParsedBrokerAddress {
  const trimmed = text.trim()
  if (trimmed === '') return refuse('the address is empty; write host:port')
  if (trimmed.includes(',')) return refuse(`"${trimmed}" holds several addresses; list each by itself`)
  const scheme = /^([A-Za-z_0-9]+):\/\//.exec(trimmed)
  if (scheme) return refuse(`"${trimmed}" starts with ${scheme[0]}; write host:port`)
  if (trimmed.startsWith('[')) return parseBracketed(trimmed)

  const colon = trimmed.indexOf(':')
  if (colon === -1) return refuse(`"${trimmed}" has no port; write host:port, such as ${trimmed}:9092`)
  if (trimmed.indexOf(':', colon + 1) !== -1) {
    return refuse(`"${trimmed}" has several colons; write an IPv6 address in brackets, such as [::1]:9092`)
  }
  const host = trimmed.slice(0, colon)
  if (host === '') return refuse(`"${trimmed}" has no host; write host:port`)
  if (!hostName.test(host)) return refuse(`"${host}" is not a host name`)
  return withPort(trimmed, host, trimmed.slice(colon + 1))
}

/** `host:port`, with IPv6 hosts in brackets. */
export function formatBrokerAddress(address: BrokerAddress): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

function parseBracketed(text: string): ParsedBrokerAddress {
  const end = text.indexOf(']')
  if (end === -1) return refuse(`"${text}" lacks the closing bracket; write [address]:port`)
  const host = text.slice(1, end)
  if (!host.includes(':') || !ipv6.test(host)) return refuse(`"${host}" is not an IPv6 address`)
  const rest = text.slice(end + 1)
  if (!rest.startsWith(':')) return refuse(`"${text}" has no port; write ${text.slice(0, end + 1)}:9092`)
  return withPort(text, host, rest.slice(1))
}

function withPort(text: string, host: string, portText: string): ParsedBrokerAddress {
  if (portText === '') return refuse(`"${text}" has no port; write host:port`)
  if (!/^\d+$/.test(portText)) return refuse(`"${portText}" in "${text}" is not a port number`)
  const port = Number(portText)
  if (port < 1 || port > 65_535) return refuse(`port ${portText} in "${text}" is not between 1 and 65535`)
  return { ok: true, address: { host, port } }
}

function refuse(reason: string): ParsedBrokerAddress {
  return { ok: false, reason }
}
