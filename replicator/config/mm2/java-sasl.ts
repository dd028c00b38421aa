import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Secret } from '../../kafka/secret.ts'
import type { SaslSettings } from '../../kafka/settings.ts'
import { tokenFromAwsIam, tokenFromFile } from '../token-providers.ts'
import type { ConnectionContext } from './connection-context.ts'
import type { ConnectorSettings } from './declaration.ts'
import { parseJaas } from './jaas.ts'
import { secretWrittenOut } from './java-tls.ts'
import type { Place, Setting } from './setting.ts'
import { tokenFromEndpoint } from './token-endpoint.ts'

/** The login module that belongs to each mechanism. */
const modules: Readonly<Record<string, string>> = {
  PLAIN: 'PlainLoginModule',
  'SCRAM-SHA-256': 'ScramLoginModule',
  'SCRAM-SHA-512': 'ScramLoginModule',
  OAUTHBEARER: 'OAuthBearerLoginModule',
  AWS_MSK_IAM: 'IAMLoginModule',
}

/** Reads Kafka's `sasl.` keys; what is wrong goes to the findings. */
export function readJavaSasl(
  cluster: { readonly alias: string; readonly place: Place },
  settings: ConnectorSettings,
  bootstrap: readonly string[],
  context: ConnectionContext,
): SaslSettings | undefined {
  const { problems, warnings } = context.findings
  const stated = settings.get('sasl.mechanism')
  if (stated?.isBroken === true) return undefined
  const mechanism = stated?.value.trim() ?? 'GSSAPI'
  const module = modules[mechanism]
  if (module === undefined) {
    const place = stated?.place ?? settings.get('security.protocol')?.place ?? cluster.place
    const kerberos = mechanism === 'GSSAPI'
    const message = kerberos ? 'Kerberos (GSSAPI) cannot be used here' : 'a SASL mechanism that is not known'
    const hint = `give sasl.mechanism one of ${Object.keys(modules).join(', ')}`
    problems.push({
      place,
      message: stated === undefined ? `sasl.mechanism is missing, and ${message}` : message,
      hint,
    })
    return undefined
  }
  const jaas = settings.get('sasl.jaas.config')
  if (jaas === undefined) {
    const place = stated?.place ?? cluster.place
    problems.push({ place, message: `missing: ${mechanism} needs the key "sasl.jaas.config"` })
    return undefined
  }
  if (jaas.isBroken) return undefined
  const parsed = parseJaas(jaas.value)
  if (!parsed.ok) {
    problems.push({ place: jaas.place, message: parsed.reason })
    return undefined
  }
  if (parsed.module.split('.').at(-1) !== module) {
    problems.push({ place: jaas.place, message: `${mechanism} needs a ${module}, not another login module` })
    return undefined
  }
  if (mechanism === 'AWS_MSK_IAM') return readMskIam(jaas, parsed.options, bootstrap, context)
  if (mechanism === 'OAUTHBEARER') return readOauth(settings, jaas, parsed.options, context)
  const username = parsed.options.get('username')
  const password = parsed.options.get('password')
  if (username === undefined || password === undefined) {
    problems.push({ place: jaas.place, message: 'missing: the options "username" and "password"' })
    return undefined
  }
  if (jaas.references === 0) warnings.push({ place: jaas.place, ...secretWrittenOut })
  if (parsed.options.get('tokenauth')?.toLowerCase() === 'true') {
    problems.push({ place: jaas.place, message: 'delegation tokens (tokenauth) cannot be used here' })
  }
  const kind = mechanism.toLowerCase()
  if (kind !== 'plain' && kind !== 'scram-sha-256' && kind !== 'scram-sha-512') return undefined
  return { mechanism: kind, username, password: new Secret(password) }
}

function readMskIam(
  jaas: Setting,
  options: ReadonlyMap<string, string>,
  bootstrap: readonly string[],
  { findings: { problems } }: ConnectionContext,
): SaslSettings | undefined {
  if (options.size > 0) {
    const hint = "use the process's own AWS credentials: AWS_PROFILE, a role of the pod or the machine"
    problems.push({ place: jaas.place, message: 'options of IAMLoginModule cannot be used here', hint })
  }
  const region = /\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com/.exec(bootstrap.join(' '))?.[1]
  if (region !== undefined) return { mechanism: 'oauthbearer', token: tokenFromAwsIam(region) }
  const hint = 'give the names that MSK gave the brokers, or write a causeway.yaml with awsIam: { region }'
  problems.push({
    place: jaas.place,
    message: 'the AWS region is not in the names of bootstrap.servers',
    hint,
  })
  return undefined
}

function readOauth(
  settings: ConnectorSettings,
  jaas: Setting,
  options: ReadonlyMap<string, string>,
  { directory, findings: { problems, warnings } }: ConnectionContext,
): SaslSettings | undefined {
  const extensions = [...options]
    .filter(([name]) => name.startsWith('extension_'))
    .map(([name, value]) => [name.slice('extension_'.length), value])
  const common = {
    mechanism: 'oauthbearer' as const,
    ...(extensions.length === 0 ? {} : { extensions: Object.fromEntries(extensions) }),
  }
  const endpoint = settings.get('sasl.oauthbearer.token.endpoint.url')
  if (endpoint === undefined) {
    const hint = 'give sasl.oauthbearer.token.endpoint.url; unsecured tokens cannot be made here'
    problems.push({ place: jaas.place, message: 'OAUTHBEARER has no source of tokens', hint })
    return undefined
  }
  if (endpoint.isBroken) return undefined
  const url = URL.canParse(endpoint.value.trim()) ? new URL(endpoint.value.trim()) : undefined
  if (url?.protocol === 'file:' && (url.host === '' || url.host === 'localhost')) {
    return { ...common, token: tokenFromFile(resolve(directory, fileURLToPath(`file://${url.pathname}`))) }
  }
  if (url === undefined || !['https:', 'http:'].includes(url.protocol)) {
    problems.push({ place: endpoint.place, message: 'expected an https:// or file:// address' })
    return undefined
  }
  if (url.protocol === 'http:') {
    warnings.push({ place: endpoint.place, message: 'credentials travel in clear to the token endpoint' })
  }
  const given = (key: string, option: string): string | undefined => {
    const setting = settings.get(`sasl.oauthbearer.${key}`)
    return setting?.isBroken === false ? setting.value : options.get(option)
  }
  const clientId = given('client.credentials.client.id', 'clientId')
  const clientSecret = given('client.credentials.client.secret', 'clientSecret')
  if (clientId === undefined || clientSecret === undefined) {
    problems.push({ place: jaas.place, message: 'missing: the options "clientId" and "clientSecret"' })
    return undefined
  }
  const secret = settings.get('sasl.oauthbearer.client.credentials.client.secret') ?? jaas
  if (secret.references === 0) warnings.push({ place: secret.place, ...secretWrittenOut })
  const scope = given('scope', 'scope')
  const credentials = { url: url.href, clientId, clientSecret: new Secret(clientSecret) }
  return {
    ...common,
    token: tokenFromEndpoint({ ...credentials, ...(scope === undefined ? {} : { scope }) }),
  }
}
