/** Exit codes of every `causeway` command; `causeway --help` lists them. */
export const exitCode = {
  ok: 0,
  /** The command ran and its answer is no: not identical, not everything could be compared, not healthy, a step failed. */
  failed: 1,
  /** The command line or a configuration file is wrong; nothing was changed. */
  usage: 2,
  /** Something this machine lacks: Java, a port, disk space. */
  environment: 3,
  /** Ended by a second signal, before everything in flight was settled. */
  cut: 130,
} as const
