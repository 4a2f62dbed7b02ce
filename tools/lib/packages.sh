# The one list of Debian packages that poppo needs, and how missing ones are installed. Sourced by quickstart, check
# and bench.
# shellcheck shell=bash disable=SC2034

build_packages=(gcc libc6-dev meson ninja-build pkg-config python3 libev-dev libseccomp-dev libmsgpack-dev duktape-dev
        libjansson-dev libcurl4-openssl-dev libssl-dev ca-certificates libsqlite3-dev)
quickstart_packages=("${build_packages[@]}" python3-msgpack)
bench_packages=("${build_packages[@]}" python3-msgpack beanstalkd redis-server)
test_packages=("${build_packages[@]}" libcmocka-dev mandoc python3-msgpack python3-httpbin nginx-light openssl
        valgrind shellcheck procps binutils strace)

# Tests fetch packages of npm's. Where somebody installed Node.js from elsewhere, npm is there already and Debian's would
# be in its way.
command -v npm >/dev/null || test_packages+=(npm)

package_installed() {
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Runs a command as root: directly, or through sudo.
as_root() {
        if [ "$(id -u)" = 0 ]; then
                "$@"
        elif command -v sudo >/dev/null; then
                sudo "$@"
        else
                echo "Installing packages needs root or sudo. Missing: ${missing[*]}" >&2
                return 77
        fi
}

# install_missing LOG PACKAGE...: installs those that are not there yet, and says which; silent when all are.
install_missing() {
        local log=$1 package missing=()
        shift
        for package in "$@"; do
                package_installed "$package" || missing+=("$package")
        done
        [ ${#missing[@]} -gt 0 ] || return 0
        echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
        if ! { as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
                as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
                        "${missing[@]}"; } >>"$log" 2>&1; then
                tail -n 20 "$log" >&2
                return 1
        fi
}

# build_in DIR LOG [MESON OPTION]... -- [TARGET]...: configures DIR when it is new or its options differ, and builds.
build_in() {
        local dir=$1 log=$2 options=()
        shift 2
        while [ $# -gt 0 ] && [ "$1" != -- ]; do
                options+=("$1")
                shift
        done
        shift
        if [ -f "$dir/build.ninja" ]; then
                [ ${#options[@]} = 0 ] || meson configure "$dir" "${options[@]}" >>"$log" 2>&1 || return 1
        else
                meson setup "$dir" "${options[@]}" >>"$log" 2>&1 || return 1
        fi
        ninja -C "$dir" "$@" >>"$log" 2>&1
}
