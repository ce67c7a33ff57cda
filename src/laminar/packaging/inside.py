"""The shell scripts that run inside an image while it is built; they lie in ``/opt/laminar`` there."""

from __future__ import annotations

#: Gives laminar a Python that it may install into: that of the base if it has pip and no rule against it, else a
#: virtual environment that sees the base's packages. Arguments: the version that is wanted, if any, and the base.
PREPARE = """\
#!/bin/sh
set -e
if [ -e /opt/laminar/ca.crt ]; then
    cat $(ls /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt 2>/dev/null) /opt/laminar/ca.crt \\
        > /opt/laminar/bundle.crt
    if [ -d /etc/apt/apt.conf.d ]; then
        echo 'Acquire::https::CAInfo "/opt/laminar/bundle.crt";' > /etc/apt/apt.conf.d/90laminar
    fi
fi
managed='
import os, sys, sysconfig
marker = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
sys.exit(0 if os.path.exists(marker) and sys.prefix == sys.base_prefix else 1)'
own=
if python -m pip --version >/dev/null 2>&1 || python -m ensurepip >/dev/null 2>&1; then own=1; fi
if [ -z "$own" ] || python -c "$managed"; then
    command -v python3 >/dev/null || { echo "laminar: the base $2 has no python3"; exit 1; }
    python3 -m venv --system-site-packages /opt/venv \\
        || { echo "laminar: the base $2 has neither pip nor venv; add python3-venv to it"; exit 1; }
fi
version=$(python -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
if ! python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "laminar: the base $2 has Python $version; laminar needs 3.11 or newer."
    exit 1
fi
case "$version." in
    "$1".*) ;;
    *)  if [ -n "$1" ]; then
            echo "laminar: the base $2 has Python $version, and $1 is wanted."
            echo "laminar: set LAMINAR_IMAGE_BASE to a base that has it, with {python} for the version."
            exit 1
        fi ;;
esac
mkdir -p /laminar
chmod 1777 /laminar
"""

#: Installs packages with pip; nothing is kept that only pip needs.
PIP = """\
#!/bin/sh
export PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
exec python -m pip install "$@"
"""

#: Installs Debian packages, from the mirror if there is one; the base's own list of sources is left as it is.
APT = """\
#!/bin/sh
set -e
export DEBIAN_FRONTEND=noninteractive
command -v apt-get >/dev/null || { echo "laminar: with_apt_packages needs a base that has apt-get"; exit 1; }
cp -r /etc/apt /tmp/apt
if [ -n "$LAMINAR_APT_MIRROR" ]; then
    find /tmp/apt -name '*.list' -o -name '*.sources' | xargs -r sed -i \\
        -e "s|https\\?://deb.debian.org/debian|$LAMINAR_APT_MIRROR|" \\
        -e "s|https\\?://security.debian.org/debian|$LAMINAR_APT_MIRROR|"
fi
apt-get -o Dir::Etc=/tmp/apt update -q
apt-get -o Dir::Etc=/tmp/apt install -q --yes --no-install-recommends "$@"
rm -rf /var/lib/apt/lists/* /tmp/apt
"""

#: Installs what a project's lock pins. Arguments: the project's folder, whether it is installed too, pip's options.
UV = """\
#!/bin/sh
set -e
folder=$1 project=$2
shift 2
/opt/laminar/pip --quiet --target /tmp/uv uv
/tmp/uv/bin/uv export --quiet --frozen --no-dev --no-emit-project --project "$folder" --output-file /tmp/locked.txt
/opt/laminar/pip "$@" -r /tmp/locked.txt
if [ "$project" = project ]; then /opt/laminar/pip --no-deps "$folder"; fi
rm -rf /tmp/uv /tmp/locked.txt "$folder"
"""

#: Installs laminar, unless what is there is the same. Arguments: the wheel, and the digest of laminar's files.
INSTALL = """\
#!/bin/sh
set -e
ask='
import sys
from laminar.packaging import wheel
sys.exit(wheel.digest() != sys.argv[1])'
if ! python -P -c "$ask" "$2" 2>/dev/null; then /opt/laminar/pip --no-deps --force-reinstall "$1"; fi
rm -r "$(dirname "$1")"
"""

SCRIPTS = {"prepare": PREPARE, "pip": PIP, "apt": APT, "uv": UV, "install": INSTALL}
