# For jobs on Kubernetes (HANGAR_WORKER_IMAGE): brings Node to jobs in other images, and is the image of jobs that name none. The worker
# itself comes from the server, so that both are always of one version.
#
#   docker build -f deploy/docker/worker.Dockerfile -t hangar-worker .
#
# Agents are not in it: make an image of your own FROM this one, as root: RUN npm install --global @anthropic-ai/claude-code
FROM node:24.21.0-bookworm-slim
# Unpinned on purpose: the security updates of this release of Debian, and nothing newer.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates curl git openssh-client patch procps ripgrep \
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log
USER 1000:1000
ENV LANG=C.UTF-8
WORKDIR /tmp
CMD ["bash"]
