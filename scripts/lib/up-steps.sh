# The steps of scripts/up, in order. Each looks first and does only what is missing; it sets changed=1 when it did
# something. Sourced, after common.sh, roles.sh and ec2.sh.
# shellcheck shell=bash disable=SC2154

install_packages() {
  step "Packages" "run scripts/install-packages by hand to see what apt says"
  local sets=(build)
  [ "$simulate" = 1 ] || sets+=(run image)
  "$virga_source/scripts/install-packages" "${sets[@]}"
}

# A compiler of this program takes up to 1.5 GiB.
compile_jobs() {
  local by_memory
  by_memory=$(awk '/MemAvailable/ { n = int($2 / 1572864); print (n > 0 ? n : 1) }' /proc/meminfo)
  echo "${jobs:-$((by_memory < $(nproc) ? by_memory : $(nproc)))}"
}

build() {
  step "Build (Release; the first time takes 5 to 20 minutes; its words are in $step_log)" "the compiler's words are above; is the source tree unchanged?"
  quietly cmake -S "$virga_source" -B "$virga_source/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DVIRGA_TESTS=OFF
  cmake --build "$virga_source/build" --target virga -j "$(compile_jobs)" >>"$step_log" 2>&1 &
  local compiler=$! waited=0
  while kill -0 $compiler 2>/dev/null; do
    sleep 1
    waited=$((waited + 1))
    if [ $((waited % 30)) = 0 ]; then note "$(tail -c 2000 "$step_log" | grep -o '^\[[0-9]*/[0-9]*\]' | tail -n 1) compiled"; fi
  done
  # A clone that is somebody's stays his: he could not even remove what root made there.
  if is_root; then chown -hR --reference="$virga_source" "$virga_source/build" 2>>"$step_log" || true; fi
  wait $compiler
}

install_program() {
  step "Program: $virga"
  local built=$virga_source/build/daemon/virga
  cmp -s "$built" "$virga" && return
  mkdir -p "$(dirname "$virga")"
  # A new file beside the old one: the roles that run notice by it that they are old.
  install -m 755 "$built" "$virga.new"
  mv -f "$virga.new" "$virga"
  changed=1
}

prepare_machine() {
  is_root || return 0
  if ! getent passwd virga >/dev/null; then
    step "User virga, for the control role"
    quietly useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin virga
    changed=1
  fi
  if [ "$simulate" = 0 ] && ! getent passwd virga-dns >/dev/null; then
    step "User virga-dns, for the VPCs' DHCP and DNS servers"
    quietly useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin virga-dns
    changed=1
  fi
  # The control role gives up root before it opens its database.
  setpriv --reuid=virga --regid=virga --clear-groups test -x "$(dirname "$state")" ||
    die "the user virga cannot reach $(dirname "$state")" "choose a VIRGA_HOME whose folders everybody may pass (chmod o+x)"
  # libvirt looks up the host's own name at each start of a guest, and waits seconds for a name that is not there.
  if [ "$simulate" = 0 ] && ! getent hosts "$(hostname)" >/dev/null; then
    step "Host name: adding '127.0.1.1 $(hostname)' to /etc/hosts, as it did not resolve"
    printf '127.0.1.1\t%s\n' "$(hostname)" >>/etc/hosts
    changed=1
  fi
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

write_configuration() {
  step "Configuration: $config"
  [ ! -e "$config" ] || return 0
  local port=8773
  while ! port_is_free $port; do port=$((port + 1)); done
  mkdir -p "$(dirname "$config")"
  {
    echo "# Virga's settings; docs/configuration.md explains every key."
    printf '[api]\nlisten_port = %s\n' $port
    if [ "$simulate" = 0 ] && ! system_libvirtd_answers; then
      printf '\n[compute]\nlibvirt_uri = "%s"\n' "$("$private_libvirtd" "$libvirt_dir" uri)"
    fi
  } >"$config.new"
  mv "$config.new" "$config"
  changed=1
}

# The distribution's libvirtd serves the system's own installation only.
system_libvirtd_answers() {
  [ -z "${VIRGA_HOME:-}" ] || return 1
  if has_systemd; then quietly systemctl enable --now libvirtd; fi
  timeout 20 virsh -q -c qemu:///system uri >/dev/null 2>&1
}

start_libvirtd() {
  step "libvirtd" "see the log of libvirtd: $libvirt_dir/log/libvirtd.log, or journalctl -u libvirtd"
  if grep -qF "socket=$libvirt_dir/" "$config"; then
    "$private_libvirtd" "$libvirt_dir" status || { quietly "$private_libvirtd" "$libvirt_dir" start; changed=1; }
  elif has_systemd && ! systemctl -q is-active libvirtd.socket libvirtd.service; then
    quietly systemctl enable --now libvirtd
    changed=1
  elif ! has_systemd && ! system_libvirtd_answers; then
    die "the libvirtd named in $config does not answer" "start it, or set compute.libvirt_uri to $("$private_libvirtd" "$libvirt_dir" uri) and run this again"
  fi
}

start_roles() {
  step "Roles: virga host, virga control" "see the logs: $logs/host.log and $logs/control.log, or journalctl -u virga-host -u virga-control"
  if [ "$managed" = 1 ]; then start_units; else start_processes; fi
  await_roles
  "$virga" status | sed 's/^/    /'
}

# A role that ended said why, and is not worth waiting for.
await_roles() {
  local role
  for _ in {1..60}; do
    if quietly "$virga" status --wait 2; then return; fi
    [ "$managed" = 0 ] || continue
    for role in host control; do
      role_pid $role >/dev/null || die "the $role role ended at once; its last words (of $logs/$role.log):
$(tail -n 3 "$logs/$role.log" | sed 's/^/    /')" "mend what they name and run this again"
    done
  done
  die "the roles do not answer"
}

start_units() {
  local unit fresh=0
  for unit in virga-host virga-control; do
    cmp -s "$virga_source/scripts/systemd/$unit.service" "/etc/systemd/system/$unit.service" || {
      install -m 644 "$virga_source/scripts/systemd/$unit.service" /etc/systemd/system/
      fresh=1
    }
  done
  [ $fresh = 0 ] || quietly systemctl daemon-reload
  for unit in virga-host virga-control; do
    if [ $fresh = 1 ] || [ $changed = 1 ] || ! systemctl -q is-active $unit; then
      quietly systemctl enable $unit
      quietly systemctl restart $unit
      changed=1
    fi
  done
}

start_processes() {
  local role arguments
  for role in host control; do
    role_is_current $role && continue
    stop_role $role
    arguments=()
    [ $role = control ] || [ "$simulate" = 0 ] || arguments=(--simulate)
    start_role $role "${arguments[@]}"
    changed=1
  done
}

create_account() {
  step "Account 'default' with an administrator and an access key" "$virga account list"
  "$virga" account list | awk '{ for (i = 1; i <= NF; i++) if ($i == "default") found = 1 } END { exit !found }' && return
  quietly "$virga" account create default --save --format '{account}'
  changed=1
}

# Any image of that name will do: a new kernel does not make a second one.
tiny_image_id() { "$virga" image list | awk '$2 == "tiny" && $3 == "available" && !found { print $1; found = 1 }'; }

import_tiny_image() {
  step "Tiny guest image" "see $step_log; scripts/images/tiny builds it alone"
  image=$(tiny_image_id)
  if [ -z "$image" ]; then
    local file
    if [ "$simulate" = 1 ]; then
      file=$VIRGA_HOME/empty.raw # a simulated host looks at no bytes
      truncate -s 1M "$file"
    else
      file=$("$virga_source/scripts/images/tiny" 2>>"$step_log")
    fi
    image=$("$virga" image import "$file" --name tiny 2>>"$step_log")
    changed=1
  fi
  note "AMI $image"
}

instance_state() { ec2 DescribeInstances "InstanceId.1=$1" | grep -o '<instanceState>.*</instanceState>' | element name; }

first_instance() {
  step "First instance, through the EC2 API" "$virga status; $virga console INSTANCE; the logs in $logs"
  use_account
  local answer key=$state/credentials/first-key
  answer=$(ec2 DescribeInstances "Filter.1.Name=tag:Name" "Filter.1.Value.1=first" "Filter.2.Name=instance-state-name" \
    "Filter.2.Value.1=pending" "Filter.2.Value.2=running" "Filter.2.Value.3=stopping" "Filter.2.Value.4=stopped")
  first=$(element instanceId <<<"$answer")
  if [ -n "$first" ]; then
    note "$first is $(instance_state "$first"), address $(element privateIpAddress <<<"$answer")"
    # Right after a start the host may still be at it.
    [ $changed = 0 ] || note "should guests be off (scripts/down --guests): they start now, one after another, and answer when they have booted"
    return
  fi
  changed=1
  local arguments=("ImageId=$image" "InstanceType=t3.nano" "MinCount=1" "MaxCount=1"
    "TagSpecification.1.ResourceType=instance" "TagSpecification.1.Tag.1.Key=Name" "TagSpecification.1.Tag.1.Value=first")
  if [ "$simulate" = 0 ]; then
    [ -s "$key" ] || ssh-keygen -q -t ed25519 -N '' -C first -f "$key"
    [ -n "$(ec2 DescribeKeyPairs "Filter.1.Name=key-name" "Filter.1.Value.1=first" | element keyPairId)" ] ||
      ec2 ImportKeyPair KeyName=first "PublicKeyMaterial=$(base64 -w0 "$key.pub")" >/dev/null
    arguments+=("KeyName=first")
  fi
  answer=$(ec2 RunInstances "${arguments[@]}")
  first=$(element instanceId <<<"$answer")
  note "$first pending"
  await_running "$first"
  note "$first running, address $(ec2 DescribeInstances "InstanceId.1=$first" | element privateIpAddress)"
  [ "$simulate" = 1 ] || await_console "$first"
}

await_running() {
  local tries=0 now
  until now=$(instance_state "$1") && [ "$now" = running ]; do
    tries=$((tries + 1))
    case $now in shutting-down | terminated | stopped)
      die "$1 became $now: $(ec2 DescribeInstances "InstanceId.1=$1" | grep -o '<stateReason>.*</stateReason>' | element message)" ;;
    esac
    [ $tries -lt 600 ] || die "$1 is still $now after two minutes"
    sleep 0.2
  done
}

await_console() {
  local tries=0 line
  note "waiting for its console (a guest without KVM takes some seconds more)"
  until line=$(ec2 GetConsoleOutput "InstanceId=$1" | element output | base64 -d 2>/dev/null | tr -d '\r' | grep '^tiny: ready'); do
    tries=$((tries + 1))
    [ $tries -lt 360 ] || die "$1 did not come up in three minutes" "look at its console: $virga console $1"
    sleep 0.5
  done
  note "its console says: $line"
}

closing_words() {
  local endpoint program=virga
  endpoint=$("$virga" env | sed -n 's/^export AWS_ENDPOINT_URL=//p')
  if [ -n "${VIRGA_HOME:-}" ]; then program="VIRGA_HOME=$VIRGA_HOME $virga"; fi
  echo
  if [ "$changed" = 0 ]; then echo "Everything was in place; nothing was changed."; fi
  echo "Virga is up."
  note "EC2 endpoint   $endpoint"
  note "dashboard      $endpoint (comes with a later release; the API answers there)"
  if [ -n "${first:-}" ] && [ "$simulate" = 0 ]; then
    note "first guest    $program ssh -i $state/credentials/first-key $first"
    note "               $program console $first"
  fi
  note "take it down   ${VIRGA_HOME:+VIRGA_HOME=$VIRGA_HOME }scripts/down"
  echo
  echo "aws-cli, boto3 and Terraform talk to it after:"
  echo
  echo "    eval \"\$($program env)\""
}
