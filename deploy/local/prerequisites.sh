#!/bin/sh
# Sees to it that the servers of deploy/local can be built and run: a Java development kit (17 or newer) and Maven.
# Installs what is missing where it may (root with apt-get), else says in one line what to install.
set -u

[ -z "${JAVA_HOME:-}" ] || PATH="$JAVA_HOME/bin:$PATH"

ready() {
    # Before version 9 javac wrote its version to standard error: nothing is read then, which is too old as well.
    version=$(javac -version 2>/dev/null)
    version=${version#javac }
    version=${version%%[!0-9]*}
    [ "${version:-0}" -ge 17 ] && command -v java >/dev/null && command -v mvn >/dev/null
}

install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet --quiet # one source of several may fail without harm
    for kit in openjdk-17-jdk-headless default-jdk-headless; do
        apt-get install --quiet --quiet --yes --no-install-recommends "$kit" maven && return
    done
}

ready && exit
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "installing a Java development kit and Maven for the servers of the tests" >&2
    install >/dev/null 2>&1
    ready && exit
fi
echo "install a Java development kit (17 or newer) and Maven: apt-get install openjdk-17-jdk-headless maven" >&2
exit 1
