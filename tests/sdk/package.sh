#!/bin/bash
# package.sh BUILD: the Debian package has all that is installed, says what it needs, runs where it is unpacked, is installed and removed
# by dpkg (in a root of its own) and leaves nothing behind.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$1" && cpack -G DEB -B "$work/made" >"$work/cpack.log" 2>&1) || { cat "$work/cpack.log" >&2; exit 1; }
package=$(ls "$work"/made/khost_*.deb)
depends=$(dpkg-deb --field "$package" Depends)
for library in libopenblas0-openmp libblis4-openmp libdnnl libsqlite3-0 libgomp1 libboost-program-options libsentencepiece0; do
  [[ $depends == *$library* ]] || { echo "the package does not depend on $library: $depends" >&2; exit 1; }
done
root=$work/root admin=$work/root/var/lib/dpkg
mkdir -p "$admin"/{info,updates,triggers}
touch "$admin"/{status,available}
dpkg_in_root() { dpkg --root="$root" --force-not-root --force-depends --no-triggers --log=/dev/null "$@" >"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log" >&2; exit 1; }; }
dpkg_in_root --install "$package"
export KHOST_CACHE=$work/cache
cd "$work"
"$root/usr/bin/khost" list | grep -q '^  snr '
"$root/usr/bin/khost" run "$root/usr/share/khost/experiments/quickstart.manifest" --seeds 3 --out "$work/run" >/dev/null
[[ -s $work/run/report.html ]]
dpkg_in_root --purge khost
left=$(find "$root" -path "$admin" -prune -o -type f -print)
[[ -z $left ]] || { echo "left behind: $left" >&2; exit 1; }
