# One image for every process of hoist: `docker run hoist gateway`, `… broker`,
# `… serve`.  The chat worker and its page are in it, too.
#
#   docker build -t hoist .
#   docker build -t hoist --build-arg DEBIAN=12 .
#
# Nothing here needs more than the builder of Docker 20.10.
ARG DEBIAN=13

FROM debian:${DEBIAN}-slim AS build
WORKDIR /src
# Packages before sources, so that a change of these does not fetch those again.
COPY scripts/install-deps.sh scripts/packages.txt scripts/
RUN scripts/install-deps.sh build
COPY . .
RUN cmake --preset release -DBUILD_TESTING=OFF -DCMAKE_C_FLAGS_RELEASE=-O2 \
    && cmake --build build/release --target hoist chat \
    && install -D -s -t /out/bin build/release/cli/hoist \
    && install -D -s -t /out/libexec/hoist build/release/workers/examples/chat \
    && install -D -m 644 -t /out/share/hoist/chat workers/examples/chat/* \
    && scripts/runtime-packages.sh /out/bin/hoist /out/libexec/hoist/chat \
        /usr/lib/*/libwebsockets-evlib_ev.so >/out/packages

FROM debian:${DEBIAN}-slim
LABEL org.opencontainers.image.title="hoist" \
      org.opencontainers.image.description="A self-hosted message broker with a WebSocket front end" \
      org.opencontainers.image.licenses="MIT"
# The libraries that the programs were linked to, and the certificates that
# rediss:// and DynamoDB are checked against.
COPY --from=build /out/packages /usr/local/share/hoist/packages
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends ca-certificates \
        $(cat /usr/local/share/hoist/packages) \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* \
        /var/log/* \
    && useradd --system --uid 10001 --no-create-home --home-dir / hoist
COPY --from=build /out/bin /usr/local/bin
COPY --from=build /out/libexec /usr/local/libexec
COPY --from=build /out/share /usr/local/share

# By number, so that Kubernetes' runAsNonRoot can see that it is not root.
USER 10001:10001
# Inside, loopback is nobody's: what is to be reached listens everywhere, and
# what is to be reached from outside the network is published.
ENV HOIST_ADMIN=0.0.0.0:9100
EXPOSE 8080 5555 5556 9100
# hoist handles signals itself and starts no processes, so it may be process 1.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=5s --retries=3 \
    CMD ["hoist", "health"]
ENTRYPOINT ["hoist"]
CMD ["serve", "--listen=0.0.0.0:8080", "--workers=tcp://0.0.0.0:5555", \
     "--static=/usr/local/share/hoist/chat"]
