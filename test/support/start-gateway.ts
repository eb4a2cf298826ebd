export * from '../../src/testing/start-gateway.ts'
