import { describeServerless } from '../_shared/serverless/serverless-contract.ts'
import postFunction from './index.ts'

describeServerless(postFunction)
