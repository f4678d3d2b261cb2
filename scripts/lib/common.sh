# What the scripts share: where things are, and how they talk to the person who runs them. Sourced, not run.
# shellcheck shell=bash

virga_source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# Compilations are shared between checkouts: ccache sees paths relative to the source.
export CCACHE_BASEDIR=$virga_source CCACHE_NOHASHDIR=1

bold='' plain=''
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; fi

# Where a step's own output goes, and what to tell when one fails.
step_log=${step_log:-/dev/null}
current_step='starting'
advice=''

step() { current_step=$1 advice=${2:-}; printf '%s==>%s %s\n' "$bold" "$plain" "$1"; }
note() { printf '    %s\n' "$*"; }
die() {
  trap - ERR
  printf '\n%sFailed:%s %s\n' "$bold" "$plain" "$1" >&2
  if [ -n "${2:-$advice}" ]; then printf 'What to do: %s\n' "${2:-$advice}" >&2; fi
  exit 1
}
# For `trap on_error ERR`: the step, the end of its output, what to do.
on_error() {
  [ "$BASH_SUBSHELL" = 0 ] || exit 1 # the main shell tells
  trap - ERR
  if [ -s "$step_log" ]; then
    printf '\n--- the last lines of %s\n' "$step_log" >&2
    tail -n 25 "$step_log" >&2
  fi
  die "$current_step"
}
# Runs a command with its output in the log only.
quietly() { "$@" >>"$step_log" 2>&1; }

has_systemd() { [ -d /run/systemd/system ]; }
is_root() { [ "$(id -u)" = 0 ]; }

# The places of the installation that VIRGA_HOME names, or of the system's (docs/configuration.md).
set_places() {
  if [ -n "${VIRGA_HOME:-}" ]; then
    VIRGA_HOME=$(mkdir -p "$VIRGA_HOME" && CDPATH='' cd "$VIRGA_HOME" && pwd) || die "$VIRGA_HOME cannot be made"
    # "$UNSET/" is this, and /run and /bin are the machine's.
    [[ $VIRGA_HOME =~ [^/] ]] || die "VIRGA_HOME is the root of the file system" "give it a folder of its own"
    export VIRGA_HOME
    state=$VIRGA_HOME/state run=$VIRGA_HOME/run config=$VIRGA_HOME/virga.toml
    virga=$VIRGA_HOME/bin/virga libvirt_dir=$VIRGA_HOME/libvirt
  else
    state=/var/lib/virga run=/run/virga config=/etc/virga/virga.toml
    virga=/usr/local/bin/virga libvirt_dir=/var/lib/virga/libvirt
  fi
  logs=$state/log
  private_libvirtd=$virga_source/scripts/private-libvirtd
  # Units are for the system's own installation; others are started by hand.
  managed=0
  if [ -z "${VIRGA_HOME:-}" ] && has_systemd; then managed=1; fi
}
