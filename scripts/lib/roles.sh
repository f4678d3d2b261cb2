# Starting and ending the two roles where no systemd does it. Sourced after common.sh.
# shellcheck shell=bash

# The pid of a role that this installation runs; fails when it does not run.
role_pid() {
  local pid exe
  pid=$(cat "$run/$1.pid" 2>/dev/null) && [ -n "$pid" ] || return 1
  exe=$(readlink "/proc/$pid/exe" 2>/dev/null) || return 1
  [ "${exe% (deleted)}" = "$(readlink -f "$virga")" ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q " $1 " && echo "$pid"
}

# Whether the role runs the program that is installed now.
role_is_current() {
  local pid
  pid=$(role_pid "$1") && [ "$(readlink "/proc/$pid/exe")" = "$(readlink -f "$virga")" ]
}

start_role() { # ROLE [ARGUMENT...]
  mkdir -p "$run" "$logs"
  setsid "$virga" "$@" </dev/null >>"$logs/$1.log" 2>&1 &
  echo $! >"$run/$1.pid"
}

stop_role() {
  local pid tries=0
  pid=$(role_pid "$1") || { rm -f "$run/$1.pid"; return 0; }
  kill -TERM "$pid" 2>/dev/null || true
  while [ -d "/proc/$pid" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -ne 150 ] || kill -KILL "$pid" 2>/dev/null || true
    [ $tries -lt 200 ] || die "the $1 role (pid $pid) does not end"
    sleep 0.1
  done
  rm -f "$run/$1.pid"
}
