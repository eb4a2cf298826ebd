import { CERTIFICATE, type ExampleGroup, PRIVATE_KEY } from '../example.ts'

/** Sent in this order to an empty store; docs/reference/admin-api.md and the OpenAPI document show them. */
export const SSLS: ExampleGroup = {
  name: 'ssls',
  about:
    'An ssl is a certificate with its key: for the names that clients ask for (`snis`), or with `type: client` to show to nodes. Keys are stored and never shown.',
  examples: [
    {
      title: 'Create an ssl',
      method: 'PUT',
      path: '/ssls/1',
      body: {
        snis: ['shop.test', '*.shop.test'],
        cert: CERTIFICATE,
        key: PRIVATE_KEY,
      },
      status: 201,
      answer: {
        key: '/apisix/ssls/1',
        value: {
          snis: ['shop.test', '*.shop.test'],
          cert: CERTIFICATE,
          id: '1',
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
      has: {
        etag: '"2"',
      },
    },
    {
      title: 'Create one under a new id',
      method: 'POST',
      path: '/ssls',
      body: {
        sni: 'news.test',
        cert: CERTIFICATE,
        key: PRIVATE_KEY,
      },
      status: 201,
      answer: {
        key: '/apisix/ssls/00000000000000000003',
        value: {
          sni: 'news.test',
          cert: CERTIFICATE,
          id: '00000000000000000003',
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'Create one by the id of its body',
      method: 'PUT',
      path: '/ssls',
      body: {
        id: '2',
        sni: 'blog.test',
        cert: CERTIFICATE,
        key: PRIVATE_KEY,
      },
      status: 201,
      answer: {
        key: '/apisix/ssls/2',
        value: {
          id: '2',
          sni: 'blog.test',
          cert: CERTIFICATE,
          create_time: 1700000000,
          update_time: 1700000000,
        },
      },
    },
    {
      title: 'Show it',
      method: 'GET',
      path: '/ssls/1',
      status: 200,
      answer: {
        key: '/apisix/ssls/1',
        value: {
          snis: ['shop.test', '*.shop.test'],
          cert: CERTIFICATE,
          id: '1',
          create_time: 1700000000,
          update_time: 1700000000,
        },
        createdIndex: 2,
        modifiedIndex: 2,
      },
      has: {
        etag: '"2"',
      },
    },
    {
      title: 'Change some members',
      method: 'PATCH',
      path: '/ssls/1',
      body: {
        ssl_protocols: ['TLSv1.2', 'TLSv1.3'],
      },
      status: 200,
      answer: {
        key: '/apisix/ssls/1',
        value: {
          snis: ['shop.test', '*.shop.test'],
          cert: CERTIFICATE,
          id: '1',
          create_time: 1700000000,
          update_time: 1700000000,
          ssl_protocols: ['TLSv1.2', 'TLSv1.3'],
        },
      },
    },
    {
      title: 'Set one member by its path',
      method: 'PATCH',
      path: '/ssls/1/status',
      body: 0,
      status: 200,
      answer: {
        key: '/apisix/ssls/1',
        value: {
          snis: ['shop.test', '*.shop.test'],
          cert: CERTIFICATE,
          id: '1',
          create_time: 1700000000,
          update_time: 1700000000,
          ssl_protocols: ['TLSv1.2', 'TLSv1.3'],
          status: 0,
        },
      },
    },
    {
      title: 'List',
      method: 'GET',
      path: '/ssls?page=2&page_size=10',
      status: 200,
      answer: {
        total: 3,
        list: {},
      },
    },
    {
      title: 'A text that is no certificate',
      method: 'PUT',
      path: '/ssls/3',
      body: {
        sni: 'shop.test',
        cert: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
        key: PRIVATE_KEY,
      },
      status: 400,
      answer: {
        error_msg: 'failed to parse cert: PEM_read_bio_X509_AUX() failed',
      },
    },
    {
      title: 'Delete it',
      method: 'DELETE',
      path: '/ssls/1',
      status: 200,
      answer: {
        deleted: '1',
        key: '/apisix/ssls/1',
      },
    },
  ],
}
