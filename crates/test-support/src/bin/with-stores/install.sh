# Installs the package $1 without its daemon: neither started now, nor at the next boot, nor with a cluster of its own.
# What it changes for that, it puts back.
set -eu
export DEBIAN_FRONTEND=noninteractive

policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.conf
kept=.kept-by-with-stores

# A copy that is there already was left by an installation that was killed: it is the original.
keep() {
    if [ -e "$1" ] && [ ! -e "$1$kept" ]; then
        cp -p "$1" "$1$kept"
    fi
}

put_back() {
    if [ -e "$1$kept" ]; then
        mv -f "$1$kept" "$1"
    elif [ "$2" = new ]; then
        rm -f "$1"
    fi
}

restore() {
    put_back "$policy" new
    put_back "$clusters" packaged
}
trap restore EXIT
trap 'exit 1' HUP INT TERM

apt() {
    apt-get --quiet --yes -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 \
        -o Acquire::Retries=2 -o Acquire::http::Timeout=30 "$@" >&2
}

keep "$policy"
# Debian's way to forbid that packages start, stop or restart services.
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

apt update
if [ "$1" = postgresql ]; then
    # The package makes and starts a cluster unless this file, which comes with another package, says otherwise.
    apt install --no-install-recommends postgresql-common
    keep "$clusters"
    echo 'create_main_cluster = false' >>"$clusters"
fi
apt install --no-install-recommends "$1"

# Installed for tests only: without this, it would start when the machine does.
if [ -d /run/systemd/system ]; then
    systemctl disable --quiet "$1.service" || :
fi
