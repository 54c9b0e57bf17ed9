# The server, with the web UI, the worker it hands to its jobs, and a PostgreSQL of its own for those who bring none.
#
#   docker build -f deploy/docker/server.Dockerfile -t hangar-server .
#
# The same sources give the same files: versions come from package-lock.json, times from SOURCE_DATE_EPOCH.
ARG NODE_VERSION=24.21.0

FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /src
COPY . .
RUN node bin/setup.mjs all && node deploy/docker/assemble.mjs /out
ARG SOURCE_DATE_EPOCH=0
RUN find /out -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

FROM node:${NODE_VERSION}-bookworm-slim
# The driver ssh calls the system's. Unpinned on purpose: the security updates of this release of Debian, and nothing newer.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends openssh-client \
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log
# Without a package manager there is less to attack, and nothing that runs here needs one.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn-* /usr/local/bin/yarn* \
  && groupadd --gid 10001 hangar \
  && useradd --uid 10001 --gid 10001 --home-dir /var/lib/hangar --create-home --no-log-init --shell /usr/sbin/nologin hangar \
  && chmod 700 /var/lib/hangar
COPY --from=build --chown=0:0 /out /opt/hangar
COPY --chown=0:0 --chmod=755 deploy/docker/hangar-server /usr/local/bin/hangar-server
USER 10001:10001
ENV NODE_ENV=production \
    HOME=/var/lib/hangar \
    HANGAR_HOST=0.0.0.0 \
    HANGAR_DATA_DIR=/var/lib/hangar \
    HANGAR_LOG_FORMAT=json
WORKDIR /var/lib/hangar
VOLUME ["/var/lib/hangar"]
EXPOSE 7070
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:'+(process.env.HANGAR_PORT||7070)+'/readyz').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
ENTRYPOINT ["hangar-server"]
CMD ["start"]
