# syntax=docker/dockerfile:1
# Three images from one build: `orrery` (the server), `agent`, `demo` (the shop).

FROM rust:1-bookworm AS build
RUN rustup target add wasm32-unknown-unknown
WORKDIR /src
COPY . .
ENV CARGO_TARGET_DIR=/target
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/target \
    cargo build --locked --profile dist -p orrery -p orrery-agent -p orrery-demo \
    && install -D -t /out /target/dist/orrery /target/dist/orrery-agent /target/dist/orrery-demo \
    && mkdir /data

FROM debian:bookworm-slim AS base
RUN useradd --system --uid 10001 --no-create-home orrery
USER 10001

FROM base AS orrery
COPY --from=build /out/orrery /usr/local/bin/orrery
COPY --from=build --chown=10001 /data /data
# Inside a container the outside is another host: listen on all interfaces, publish what you want seen.
ENV ORRERY_DATA_DIR=/data \
    ORRERY_HTTP=0.0.0.0:7070 \
    ORRERY_OTLP_HTTP=0.0.0.0:4318 \
    ORRERY_OTLP_GRPC=0.0.0.0:4317
VOLUME /data
EXPOSE 7070 4317 4318
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s CMD ["orrery", "ready"]
ENTRYPOINT ["orrery"]
CMD ["serve"]

FROM base AS agent
COPY --from=build /out/orrery-agent /usr/local/bin/orrery-agent
COPY --from=build --chown=10001 /data /var/lib/orrery-agent
VOLUME /var/lib/orrery-agent
ENTRYPOINT ["orrery-agent"]

FROM base AS demo
COPY --from=build /out/orrery-demo /usr/local/bin/orrery-demo
EXPOSE 8080
ENTRYPOINT ["orrery-demo"]
