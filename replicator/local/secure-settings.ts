import type { BrokerPorts } from './broker-settings.ts'
import type { LocalUser } from './cluster-options.ts'

/** Principal of the brokers themselves, on the listeners that clients do not use. */
export const brokerUser = 'broker'

/** Files and passwords that the listeners of a secure cluster are made of. */
export interface SecureMaterial {
  /** PEM: trusted authority. */
  readonly authorityFile: string
  /** PEM: certificate and key for brokers among themselves, and for clients. */
  readonly internalKeyFile: string
  readonly serverKeyFile: string
  readonly brokerPassword: string
  readonly passwords: Readonly<Record<LocalUser, string>>
}

const plainLogin = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
const scramLogin = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
const tokenLogin =
  'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'

/**
 * Listeners, log-in and authorizer of one broker: CLIENT (SASL_SSL: SCRAM, PLAIN, OAUTHBEARER with unsecured
 * tokens), MTLS (client certificates), INTERNAL and CONTROLLER (SASL_SSL with PLAIN: it needs nothing stored in the
 * cluster that is only just starting).
 */
export function secureSettings(
  material: SecureMaterial,
  ports: BrokerPorts,
  controller: boolean,
  listenHost: string,
): Record<string, string> {
  const listeners = [
    `CLIENT://${listenHost}:${ports.client}`,
    `MTLS://${listenHost}:${ports.mutualTls}`,
    `INTERNAL://${listenHost}:${ports.internal}`,
  ]
  const advertised = listeners.map((listener) => listener.replace(`//${listenHost}:`, '//127.0.0.1:'))
  if (controller) listeners.push(`CONTROLLER://${listenHost}:${ports.controller}`)
  const brokersOnly = `${plainLogin} username="${brokerUser}" password="${material.brokerPassword}" user_${brokerUser}="${material.brokerPassword}";`
  const users = Object.entries(material.passwords).map(([user, password]) => `user_${user}="${password}"`)
  return {
    listeners: listeners.join(','),
    'advertised.listeners': advertised.join(','),
    'inter.broker.listener.name': 'INTERNAL',
    'listener.security.protocol.map': 'CLIENT:SASL_SSL,MTLS:SSL,INTERNAL:SASL_SSL,CONTROLLER:SASL_SSL',
    'sasl.mechanism.inter.broker.protocol': 'PLAIN',
    'sasl.mechanism.controller.protocol': 'PLAIN',
    'listener.name.internal.sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.internal.plain.sasl.jaas.config': brokersOnly,
    'listener.name.controller.sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.controller.plain.sasl.jaas.config': brokersOnly,
    'listener.name.client.sasl.enabled.mechanisms': 'SCRAM-SHA-512,SCRAM-SHA-256,PLAIN,OAUTHBEARER',
    'listener.name.client.plain.sasl.jaas.config': `${plainLogin} ${users.join(' ')};`,
    'listener.name.client.scram-sha-512.sasl.jaas.config': scramLogin,
    'listener.name.client.scram-sha-256.sasl.jaas.config': scramLogin,
    'listener.name.client.oauthbearer.sasl.jaas.config': tokenLogin,
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': material.internalKeyFile,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': material.authorityFile,
    'listener.name.client.ssl.keystore.type': 'PEM',
    'listener.name.client.ssl.keystore.location': material.serverKeyFile,
    'listener.name.mtls.ssl.keystore.type': 'PEM',
    'listener.name.mtls.ssl.keystore.location': material.serverKeyFile,
    'listener.name.mtls.ssl.client.auth': 'required',
    'listener.name.mtls.ssl.principal.mapping.rules': 'RULE:^CN=([^,]+).*$/$1/,DEFAULT',
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': `User:${brokerUser};User:admin`,
  }
}
