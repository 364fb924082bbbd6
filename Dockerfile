# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
# The caches outlive the layer: a changed source file builds again what depends on it, not the 300 crates beneath. The
# binary is copied out because a cache is no part of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --package markt-auth --bin markt-auth \
    && install -D target/release/markt-auth /out/markt-auth

# glibc, libgcc and certificates, and neither a shell nor a package manager. Runs as the user 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/markt-auth /usr/local/bin/markt-auth
# All interfaces, because a container's loopback is reached by nobody else. The admin port stays on it: who scrapes
# metrics sets MARKT_ADMIN_BIND, and sees to it that nobody else can.
ENV MARKT_ENV=production \
    MARKT_BIND=0.0.0.0:8000
EXPOSE 8000 9000
# No HEALTHCHECK, which would need a program to run: ask /health/ready on the admin port.
ENTRYPOINT ["/usr/local/bin/markt-auth"]
