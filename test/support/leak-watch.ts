export * from '../../src/testing/leak-watch.ts'
