export * from '../../src/testing/mount-plugin.ts'
