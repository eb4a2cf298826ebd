export * from '../../src/testing/instance-environment.ts'
