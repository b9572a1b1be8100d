# Images that compose would pull, made of Debian packages: test_compose.py gives
# each stage the name of its original.
FROM debian:13-slim AS debian
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update -qq

FROM debian AS redis
RUN apt-get install -y -qq --no-install-recommends redis-server
WORKDIR /data
CMD ["redis-server"]

FROM debian AS haproxy
RUN apt-get install -y -qq --no-install-recommends haproxy
STOPSIGNAL SIGUSR1
CMD ["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]

FROM debian AS prometheus
RUN apt-get install -y -qq --no-install-recommends prometheus wget \
    && install -d -o nobody -g nogroup /prometheus
USER nobody
WORKDIR /prometheus
ENTRYPOINT ["prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]

# Programs that fetch packages trust whom the machine trusts that runs the test.
# Debian's npm is of hundreds of packages, so its own one is used.
FROM debian AS python
RUN apt-get install -y -qq --no-install-recommends python3-pip
COPY trusted.crt /etc/ssl/certs/ca-certificates.crt
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_BREAK_SYSTEM_PACKAGES=1 \
    PIP_ROOT_USER_ACTION=ignore

FROM debian AS node
RUN apt-get install -y -qq --no-install-recommends nodejs
COPY trusted.crt /etc/ssl/certs/ca-certificates.crt
COPY node_modules/npm /usr/local/lib/npm
RUN ln -s ../lib/npm/bin/npm-cli.js /usr/local/bin/npm
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt

# It is told to run Java, and runs dynalite.
FROM node AS dynamodb
WORKDIR /app
COPY package.json package-lock.json dynalite.mjs ./
RUN npm ci --loglevel=error --no-audit --no-fund \
    && sed -i 's/listen(0, "127.0.0.1"/listen(8000, "0.0.0.0"/' dynalite.mjs
USER nobody
ENTRYPOINT ["node", "dynalite.mjs"]
