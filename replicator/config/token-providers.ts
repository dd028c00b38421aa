import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { Secret } from '../kafka/secret.ts'

/** Asked for each log-in and each renewal. */
export type TokenProvider = () => Promise<Secret>

/** A program that prints no token within this time never will. */
const commandTimeoutMs = 30_000
const tokenBytesMax = 1_048_576

/** Reads the token from a file each time: whoever renews it (Kubernetes, Vault) replaces the file. */
export function tokenFromFile(path: string): TokenProvider {
  return async () => {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new Error(`no OAuth token: the file ${path} cannot be read (${error.code ?? 'unknown'})`)
    })
    return tokenOf(text, `the file ${path}`)
  }
}

/** Runs a program each time and takes what it prints. Its arguments and output never appear in errors. */
export function tokenFromCommand(command: readonly string[], directory: string): TokenProvider {
  const [program = '', ...parameters] = command
  return () =>
    new Promise((resolve, reject) => {
      const limits = { timeout: commandTimeoutMs, maxBuffer: tokenBytesMax, cwd: directory }
      execFile(program, parameters, limits, (error, output) => {
        // The error's own message holds the whole command line.
        const reason =
          error?.killed === true ? `took longer than ${commandTimeoutMs} ms` : `failed (${error?.code})`
        if (error !== null) reject(new Error(`no OAuth token: the command ${program} ${reason}`))
        else {
          try {
            resolve(tokenOf(output, `the command ${program}`))
          } catch (problem) {
            reject(problem)
          }
        }
      })
    })
}

const signerPackage: string = 'aws-msk-iam-sasl-signer-js'

/** Tokens for Amazon MSK, signed by the AWS credentials of the process; needs the optional package of AWS. */
export function tokenFromAwsIam(region: string): TokenProvider {
  return async () => {
    const signer: unknown = await import(signerPackage).catch(() => {
      throw new Error(`awsIam needs a package that is not installed: npm install ${signerPackage}`)
    })
    if (!isSigner(signer)) throw new Error(`${signerPackage} has no generateAuthToken: update it`)
    const { token } = await signer.generateAuthToken({ region })
    return tokenOf(token, signerPackage)
  }
}

interface Signer {
  generateAuthToken(options: { region: string }): Promise<{ token: string }>
}

function isSigner(module: unknown): module is Signer {
  return typeof module === 'object' && module !== null && 'generateAuthToken' in module
}

function tokenOf(text: string, from: string): Secret {
  const token = text.trim()
  if (token === '') throw new Error(`no OAuth token: ${from} gave none`)
  return new Secret(token)
}
