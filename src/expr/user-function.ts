export { compileUserFunction, type UserFunction } from '../lib/user-function.ts'
