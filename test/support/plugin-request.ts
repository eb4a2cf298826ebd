export * from '../../src/testing/plugin-request.ts'
