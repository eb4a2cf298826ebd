import { serverless } from '../_shared/serverless/serverless.ts'

/** Runs functions of the configuration before the other plugins of a phase (contract §7.4). */
export default serverless('serverless-pre-function', 10000)
