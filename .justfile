# `just` lists the recipes. Each is what CI runs, or one command that is worth a name.

[private]
default:
    @"{{just_executable()}}" --list --unsorted

# the whole product with nothing installed: a minute of generated sales on the screen
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# all tests of all packages; a name runs those that contain it
test *NAME:
    cargo test {{NAME}}

# the tests of TLS and tokens on a real broker; builds OpenSSL and curl, which takes perl, cmake and some minutes, and uses the
# command openssl
tls:
    cargo test --features oidc --test end_to_end -- kafka::tls kafka::oidc

# formatting and lints, as CI holds them
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# the documentation of the code, broken links are errors; opens with `just docs --open`
docs *ARGS:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps {{ARGS}}

# everything that CI does, in a clone of what is committed
ci:
    #!/usr/bin/env bash
    set -euo pipefail
    clone=$(mktemp -d)
    trap 'rm -rf "$clone"' EXIT
    git clone --quiet . "$clone/vitrine"
    if [[ -d ../shared ]]; then ln -s "$(realpath ../shared)" "$clone/shared"; fi
    CI=true bash "$clone/vitrine/.ci/run" </dev/null

# sales per CPU second, against the hand-written loop in the same run
bench *ARGS:
    cargo run --release -p experiments --bin throughput -- {{ARGS}}

# fuzzing of decode, for so many seconds; needs a nightly toolchain and cargo-fuzz
fuzz SECONDS="60":
    cd dataflows && cargo +nightly fuzz run decode -- -max_total_time={{SECONDS}}

# licences, advisories and sources of the dependencies; needs cargo-deny
deny:
    cargo deny check
