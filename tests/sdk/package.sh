#!/bin/bash
# package.sh BUILD [ROOT]: the Debian package, on a Debian 12 that has nothing else: apt installs it with all that it needs, it runs an
# experiment, and when it is purged nothing of it is left. As root, with debootstrap; ROOT: such a Debian that is there already.
set -euo pipefail
[[ $(id -u) == 0 ]] && type -P debootstrap dpkg-shlibdeps file >/dev/null || exit 77
build=$1
work=$(mktemp -d)
root=${2:-$work/root}
clean_up() {
  mountpoint -q "$root/proc" && umount "$root/proc"
  mountpoint -q "$root/dev" && umount "$root/dev"
  rm -rf --one-file-system "$work"
}
trap clean_up EXIT

quietly() { "$@" >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; echo "$* failed" >&2; exit 1; }; }
# Neither the settings of this machine's khost nor its locale.
in_root() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }

quietly env -C "$build" cpack -G DEB -B "$work/made"
package=$(ls "$work"/made/khost_*.deb)
if [[ ! -e $root/etc/debian_version ]]; then
  quietly debootstrap --variant=minbase bookworm "$root" "$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Release: bookworm' | head -n 1)"
fi
cp -r /etc/apt/apt.conf.d /etc/apt/sources.list.d "$root/etc/apt/"
mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
quietly in_root apt-get update
(cd "$root" && find etc usr var/lib/khost* -type f 2>/dev/null | grep -i khost | sort) >"$work/before" || true

cp "$package" "$root/khost.deb"
quietly in_root apt-get install -y --no-install-recommends /khost.deb
rm "$root/khost.deb"
[[ $(in_root khost --version) == khost* ]]
in_root khost list >"$work/list"
grep -q '^  snr ' "$work/list"
if grep -q refused "$work/list"; then cat "$work/list" >&2; exit 1; fi
quietly in_root khost run /usr/share/khost/experiments/quickstart.manifest --seeds 3 --out /run-of-khost
[[ -s $root/run-of-khost/report.html ]]
quietly in_root apt-get purge -y khost
(cd "$root" && find etc usr var/lib/khost* -type f 2>/dev/null | grep -i khost | sort) >"$work/after" || true
diff "$work/before" "$work/after" || { echo "files of khost are left behind" >&2; exit 1; }
rm -rf "$root/run-of-khost" "$root/root/.cache"
