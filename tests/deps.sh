#!/bin/sh
# Fetches what the end-to-end tests run against and the system does not have: PostgreSQL 18, MySQL 9 and MariaDB 11
# (Debian unstable, unpacked beside), PostgreSQL's regression suite, and the drivers of other languages. Everything lands
# in a cache folder and is fetched once. What cannot be fetched is said aloud, and the tests that need it say so too and
# pass over it.
#
#   tests/deps.sh            fetch everything
#   tests/deps.sh pg18 …     only some of: system pg18 psql18 regress python orm node sso java sqlsmith schemathesis
#                                          mysql9 mariadb10 mariadb11 mysqlpython mysqlclient mysqlnode mysqljava sysbench
#                                          chromium slacktypes
#
# POSTERN_TEST_CACHE is the cache folder (default: .cache at the top of the repository).
set -u

here=$(cd "$(dirname "$0")" && pwd)
cache=${POSTERN_TEST_CACHE:-$here/../.cache}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
mirror=http://deb.debian.org/debian
missing=

aloud() { printf '\n*** %s\n\n' "$*" >&2; }

# Runs a step that builds "$cache/$1" in a scratch folder, and moves the result into place only when it is whole.
provide() {
    name=$1; why=$2; shift 2
    [ -e "$cache/$name/.whole" ] && return 0
    rm -rf "$cache/$name" "$cache/$name.part"
    mkdir -p "$cache/$name.part"
    echo "fetching $name ($why)" >&2
    if (set -e; cd "$cache/$name.part"; "$@") >"$cache/$name.log" 2>&1; then
        touch "$cache/$name.part/.whole"
        mv "$cache/$name.part" "$cache/$name"
    else
        tail -5 "$cache/$name.log" >&2
        aloud "$name could not be fetched (see $cache/$name.log): SKIPPED: $why"
        missing="$missing $name"
        rm -rf "$cache/$name.part"
    fi
}

# An apt of its own, which neither reads nor changes the system's lists: own_apt RELEASE SUITE...
own_apt() {
    release=$1; shift
    mkdir -p apt/lists/partial apt/archives/partial apt/etc
    touch apt/status
    : >apt/sources.list
    for suite in "$@"; do
        echo "deb $mirror $suite main" >>apt/sources.list
        echo "deb-src $mirror $suite main" >>apt/sources.list
    done
    cat >apt/apt.conf <<CONF
Dir::Etc::sourcelist "$PWD/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferencesparts "-";
Dir::State::status "$PWD/apt/status";
Dir::State::lists "$PWD/apt/lists";
Dir::Cache "$PWD/apt";
Dir::Cache::archives "$PWD/apt/archives";
APT::Default-Release "$release";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Debug::NoLocking "true";
CONF
    APT_CONFIG=$PWD/apt/apt.conf; export APT_CONFIG
    apt-get -qq update
}

unpack() {
    for package in apt/archives/*.deb; do dpkg-deb -x "$package" "$1"; done
}

# Programs of the tree in root/ start through that tree's own loader, so that they meet the C library they were built
# for: a script stands in for each. own_loader NAME PROGRAM..., NAME being the part of the cache.
own_loader() {
    final=$cache/$1/root; shift
    loader=$(cd root && find usr/lib lib* -name 'ld-linux-*.so.*' 2>/dev/null | head -1)
    [ -n "$loader" ]
    folders=$(cd root && find usr/lib lib* \( -name libc.so.6 -o -name 'libpq.so.5' \) 2>/dev/null |
        xargs -n1 dirname | sort -u | sed "s|^|$final/|" | paste -sd:)
    for program; do
        [ "$(head -c 4 "$program" | tail -c 3)" = ELF ] || continue
        mv "$program" "$program.real"
        printf '#!/bin/sh\nexec %s --library-path %s --argv0 "$0" %s "$@"\n' \
            "$final/$loader" "$folders" "$final/${program#root/}.real" >"$program"
        chmod 755 "$program"
    done
}

# PostgreSQL's tools start one another by path.
pg18() {
    own_apt unstable unstable
    apt-get -y -qq --download-only install postgresql-18 postgresql-client-18
    unpack root
    rm -rf apt
    own_loader pg18 root/usr/lib/postgresql/18/bin/*
}

# psql with what it needs for logging in through the browser.
psql18() {
    own_apt unstable unstable
    apt-get -y -qq --download-only install postgresql-client-18 libpq-oauth
    unpack root
    rm -rf apt root/usr/share/doc root/usr/share/man root/var root/etc
    own_loader psql18 root/usr/lib/postgresql/18/bin/psql
}

# The sources of PostgreSQL's own suite, in the packaged version, and its C functions.
regress() {
    own_apt bookworm bookworm bookworm-updates
    apt-get -qq --download-only source postgresql-15
    mkdir source
    tar -xf postgresql-15_*.orig.tar.* -C source --strip-components 1 --wildcards \
        '*/src/test/regress' '*/COPYRIGHT' '*/contrib/spi'
    apt-get -qq download postgresql-server-dev-15
    for package in *.deb; do dpkg-deb -x "$package" dev; done
    cc -O1 -fPIC -shared -fno-strict-aliasing -fwrapv -I dev/usr/include/postgresql/15/server \
        -o regress.so source/src/test/regress/regress.c
    for module in autoinc refint; do
        cc -O1 -fPIC -shared -fno-strict-aliasing -fwrapv -I dev/usr/include/postgresql/15/server \
            -o $module.so source/contrib/spi/$module.c
    done
    mv source/src/test/regress suite
    rm -rf apt source dev ./*.deb ./*.orig.tar.* ./*.debian.tar.* ./*.dsc
}

environment() {
    interpreter=
    for candidate in /usr/bin/python3 python3; do
        "$candidate" -c 'import ensurepip, venv' 2>/dev/null && { interpreter=$candidate; break; }
    done
    "$interpreter" -m venv venv
    venv/bin/python -m pip install --quiet "$@"
}

python() {
    environment psycopg2-binary 'psycopg[binary]' asyncpg
}

orm() {
    environment psycopg2-binary sqlalchemy django
}

# A generator of calls from an OpenAPI document.
schemathesis() {
    environment schemathesis
}

# A generator of random queries.
sqlsmith() {
    own_apt bookworm bookworm bookworm-updates
    apt-get -y -qq --download-only install sqlsmith
    unpack root
    rm -rf apt
    own_loader sqlsmith root/usr/bin/sqlsmith
}

# The server, and the stock client of the same version.
mysql9() {
    own_apt unstable unstable
    apt-get -y -qq --download-only install mysql-server-core mysql-client-core
    rm -f apt/archives/perl* apt/archives/libperl*
    unpack root
    rm -rf apt root/usr/share/doc root/usr/share/man
    own_loader mysql9 root/usr/sbin/mysqld root/usr/bin/mysql*
}

# The server is the system's; what it can do besides is in a package that would also install a service.
mariadb10() {
    own_apt bookworm bookworm bookworm-updates
    apt-get -y -qq download mariadb-server
    dpkg-deb -x mariadb-server_*.deb root
    mv root/usr/lib/mysql/plugin plugin
    rm -rf apt root ./*.deb
}

mariadb11() {
    own_apt unstable unstable
    apt-get -y -qq --download-only install mariadb-server-core mariadb-client-core
    (cd apt/archives && apt-get -y -qq download mariadb-server)
    unpack root
    rm -rf apt root/usr/share/doc root/usr/share/man root/var root/etc
    own_loader mariadb11 root/usr/sbin/mariadbd root/usr/bin/*
}

mysqlpython() {
    # From 10 on the connector wants an OpenSSL that Debian 12 does not have.
    environment pymysql cryptography "mysql-connector-python<10" sqlalchemy django
}

# Built against the system's client library and for the system's Python.
mysqlclient() {
    own_apt bookworm bookworm bookworm-updates
    apt-get -y -qq download python3-mysqldb libmariadb3
    for package in *.deb; do dpkg-deb -x "$package" root; done
    mkdir site
    mv root/usr/lib/python3/dist-packages/* site/
    mv root/usr/lib/*/libmariadb.so.3 root/usr/lib/*/libmariadb3 site/ 2>/dev/null || true
    rm -rf apt root ./*.deb
    LD_LIBRARY_PATH=$PWD/site PYTHONPATH=$PWD/site /usr/bin/python3 -c 'import MySQLdb'
}

mysqlnode() {
    npm install --silent --no-audit --no-fund --prefix . mysql2 mariadb
}

# A certified SSO provider, the last for a Node as old as Debian 12's, and the hand that moves a browser.
sso() {
    npm install --silent --no-audit --no-fund --prefix . oidc-provider@8 puppeteer-core@24
}

# What Slack says of its own calls, and what holds calls against that.
slacktypes() {
    npm install --silent --no-audit --no-fund --prefix . typescript@5 @slack/web-api@7
}

# A browser without a window, with all that it loads, which runs through the system's own loader.
chromium() {
    own_apt bookworm bookworm bookworm-updates
    apt-get -y -qq --download-only install chromium-headless-shell fonts-dejavu-core
    # The C library is the system's, which may be a newer one.
    rm -f apt/archives/libc6_*
    unpack root
    rm -rf apt root/usr/share/doc root/usr/share/man root/usr/share/locale
    folders=$(cd root && find usr/lib lib* -name '*.so*' 2>/dev/null | xargs -n1 dirname | sort -u |
        sed "s|^|$cache/chromium/root/|" | paste -sd:)
    program=$(cd root && find usr -type f \( -name headless_shell -o -name chromium-headless-shell \) -size +1M | head -1)
    [ -n "$program" ]
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s FONTCONFIG_PATH=%s exec %s "$@"\n' \
        "$folders" "$cache/chromium/root/etc/fonts" "$cache/chromium/root/$program" >browser
    chmod 755 browser
}

mysqljava() {
    own_apt unstable unstable
    apt-get -y -qq download libmariadb-java
    dpkg-deb -x libmariadb-java_*.deb root
    mkdir jars
    cp -L root/usr/share/java/mariadb-java-client.jar jars/
    rm -rf apt root ./*.deb
}

sysbench() {
    own_apt bookworm bookworm bookworm-updates
    apt-get -y -qq --download-only install sysbench
    unpack root
    rm -rf apt root/usr/share/doc root/usr/share/man
    own_loader sysbench root/usr/bin/sysbench
}

node() {
    npm install --silent --no-audit --no-fund --prefix . pg pg-cursor
}

java() {
    own_apt bookworm bookworm bookworm-updates
    apt-get -y -qq download libpostgresql-jdbc-java libscram-java libstringprep-java || \
        apt-get -y -qq download libpostgresql-jdbc-java
    for package in *.deb; do dpkg-deb -x "$package" root; done
    mkdir jars
    cp -L root/usr/share/java/*.jar jars/
    rm -rf apt root ./*.deb
}

# What comes from the system's own packages.
system() {
    wanted=
    [ -x /usr/lib/postgresql/15/bin/postgres ] || wanted="$wanted postgresql-15"
    command -v psql >/dev/null || wanted="$wanted postgresql-client-15"
    # The core package has no service that would start.
    [ -x /usr/sbin/mariadbd ] || wanted="$wanted mariadb-server-core"
    command -v mariadb-dump >/dev/null || wanted="$wanted mariadb-client"
    command -v setpriv >/dev/null || wanted="$wanted util-linux"
    command -v node >/dev/null || wanted="$wanted nodejs"
    command -v npm >/dev/null || wanted="$wanted npm"
    command -v java >/dev/null || wanted="$wanted default-jdk-headless"
    command -v cc >/dev/null || wanted="$wanted gcc libc6-dev"
    [ -d /usr/lib/python3/dist-packages ] && [ -x /usr/bin/python3 ] || wanted="$wanted python3"
    /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || wanted="$wanted python3-venv"
    [ -z "$wanted" ] && return 0
    if [ "$(id -u)" = 0 ]; then
        # shellcheck disable=SC2086
        apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -y -qq install --no-install-recommends $wanted
    else
        aloud "not root: please run  apt-get install$wanted"
        return 1
    fi
}

[ $# -gt 0 ] || set -- system pg18 psql18 regress python orm node sso java sqlsmith schemathesis \
    mysql9 mariadb10 mariadb11 mysqlpython mysqlclient mysqlnode mysqljava sysbench chromium \
    slacktypes
for part in "$@"; do
    case $part in
        system) system || missing="$missing system" ;;
        pg18) provide pg18 "the tests on PostgreSQL 18" pg18 ;;
        psql18) provide psql18 "psql logging in through the browser" psql18 ;;
        regress) provide regress "PostgreSQL's own regression suite" regress ;;
        python) provide python "psycopg 2 and 3, asyncpg" python ;;
        orm) provide orm "SQLAlchemy and Django" orm ;;
        node) provide node "node-postgres" node ;;
        java) provide java "pgjdbc" java ;;
        schemathesis) provide schemathesis "generated calls of the REST interface" schemathesis ;;
        sqlsmith) provide sqlsmith "the random queries of sqlsmith" sqlsmith ;;
        mysql9) provide mysql9 "the tests on MySQL 9" mysql9 ;;
        mariadb10) provide mariadb10 "the plugins of MariaDB 10" mariadb10 ;;
        mariadb11) provide mariadb11 "the tests on MariaDB 11" mariadb11 ;;
        mysqlpython) provide mysqlpython "PyMySQL, MySQL Connector/Python, SQLAlchemy and Django" mysqlpython ;;
        mysqlclient) provide mysqlclient "mysqlclient" mysqlclient ;;
        mysqlnode) provide mysqlnode "mysql2 and mariadb for Node" mysqlnode ;;
        mysqljava) provide mysqljava "MariaDB Connector/J" mysqljava ;;
        sso) provide sso "the tests with an SSO provider" sso ;;
        chromium) provide chromium "the sign-in in a browser" chromium ;;
        slacktypes) provide slacktypes "the types that Slack publishes" slacktypes ;;
        sysbench) provide sysbench "sysbench" sysbench ;;
        *) echo "unknown part $part" >&2; exit 2 ;;
    esac
done
case $missing in *system*) exit 1 ;; esac
exit 0
