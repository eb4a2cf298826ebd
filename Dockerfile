FROM node:24.13.0-slim AS build
WORKDIR /gatewright
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY bin ./bin
COPY src ./src
COPY plugins ./plugins
COPY admin ./admin
RUN npm run build && npm prune --omit=dev

FROM node:24.13.0-slim
ENV NODE_ENV=production
WORKDIR /gatewright
COPY package.json LICENSE config.yaml ./
COPY --from=build /gatewright/node_modules ./node_modules
COPY --from=build /gatewright/dist ./dist
COPY bin ./bin
# The key and the embedded store are written here; everything else belongs to root and stays as it is.
RUN mkdir data && chown node:node data && chmod 700 data
USER node
VOLUME /gatewright/data
# Proxy, proxy with TLS, admin API, metrics. The last two listen on 127.0.0.1 unless the settings say otherwise.
EXPOSE 9080 9443 9180 9091
HEALTHCHECK --interval=5s --timeout=3s --start-period=15s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:7085/status/ready').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "bin/gatewright.js", "start"]
