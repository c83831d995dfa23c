# A static program and nothing else. Build:  docker build -t candlewick .
# Run:  docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" candlewick run quickstart.toml
FROM rust:1.95-alpine AS build
RUN apk add --no-cache musl-dev gcc make
WORKDIR /source
COPY . .
RUN cargo build --locked --release --bin wick && cp target/release/wick /wick

FROM scratch
COPY --from=build /wick /usr/bin/wick
COPY --from=build /source/LICENSE-MIT /source/LICENSE-APACHE /licenses/
WORKDIR /work
ENTRYPOINT ["/usr/bin/wick"]
