#include "compute/lifecycle.h"

#include <fmt/format.h>
#include "core/json_values.h"

#include <set>

#include "compute/placement.h"
#include "core/assert.h"

namespace virga::compute::lifecycle {

namespace {

struct Reason {
  std::string code;
  std::string message;
  std::string transition;
};

/// "User initiated (2026-11-22 10:34:17 GMT)", EC2's text for a transition that a call asked for.
std::string user_initiated(Time now) {
  auto text = to_iso8601(now).substr(0, 19);
  text.replace(10, 1, " ");
  return "User initiated (" + text + " GMT)";
}

Reason by_user(Time now, std::string_view verb) {
  return {fmt::format("Client.UserInitiated{}", verb),
          fmt::format("Client.UserInitiated{}: User initiated {}", verb, verb == "Shutdown" ? "shutdown" : "start"),
          user_initiated(now)};
}

Resources held_by(const Instance& instance) { return {instance.spec.type.vcpus, instance.spec.type.memory_mib, 0}; }

/// A stopped instance has no place on its host and, as on EC2, counts no vCPUs: both go and come together.
void free_capacity(Scope& scope, const Instance& instance) {
  if (!instance.holds_capacity) return;
  give_capacity_back(scope, instance.spec.host, held_by(instance));
  quota::release(scope, quota::Name::vcpus, instance.spec.type.vcpus);
  scope.tx.execute("UPDATE instance SET holds_capacity = 0 WHERE id = ? AND account = ?", instance.id, scope.account);
}

/// One step of the machine.
void enter(Scope& scope, const Instance& before, InstanceState next, Power power, const Reason& reason) {
  VIRGA_ASSERT(may_become(before.state, next));
  scope.tx.execute(
      "UPDATE instance SET state = ?, power = ?, reason_code = ?, reason_message = ?, transition_reason = ?,"
      " problem = '' WHERE id = ? AND account = ?",
      to_string(next), power == Power::running ? "running" : "stopped", reason.code, reason.message, reason.transition,
      before.id, scope.account);
  auto after = before;
  after.state = next;
  after.power = power;
  after.reason_code = reason.code;
  scope.record(before.id.str(), journal_of(before), journal_of(after));
  scope.touch(DocumentKind::instance, before.id.str());
}

Error wrong_state(const Instance& instance, std::string_view verb) {
  return {Code::incorrect_instance_state,
          fmt::format("The instance '{}' is not in a state from which it can be {} (it is {}).", instance.id.str(),
                      verb, to_string(instance.state)),
          {}};
}

/// The instances, each once, in the caller's order: naming one twice must not act twice.
Result<std::vector<Instance>> each_once(Scope& scope, const std::vector<InstanceId>& ids) {
  std::set<InstanceId> seen;
  std::vector<InstanceId> once;
  for (const auto& id : ids)
    if (seen.insert(id).second) once.push_back(id);
  return instances::find_all(scope, once);
}

Result<void> start_one(Scope& scope, const Instance& instance) {
  TRY_VOID(quota::charge(scope, quota::Name::vcpus, instance.spec.type.vcpus));
  TRY_VOID(take_capacity_if_free(scope, instance.spec.host, held_by(instance)));
  scope.tx.execute(
      "UPDATE instance SET holds_capacity = 1, start_number = start_number + 1, launched_ms = ?, shutdown_timeout_s = ?"
      " WHERE id = ? AND account = ?",
      scope.now, WantedInstance{}.shutdown_timeout_s, instance.id, scope.account);
  enter(scope, instance, InstanceState::pending, Power::running, {});
  return {};
}

void stop_one(Scope& scope, const Instance& instance, Stop how) {
  scope.tx.execute("UPDATE instance SET shutdown_timeout_s = ? WHERE id = ? AND account = ?",
                   how == Stop::forced ? 0 : WantedInstance{}.shutdown_timeout_s, instance.id, scope.account);
  if (instance.state == InstanceState::stopping) {  // a forced stop of a guest that does not heed the orderly one
    scope.touch(DocumentKind::instance, instance.id.str());
    return;
  }
  enter(scope, instance, InstanceState::stopping, Power::stopped, by_user(scope.now, "Shutdown"));
}

}  // namespace

Result<std::vector<StateChange>> start(Scope& scope, const std::vector<InstanceId>& ids) {
  std::vector<StateChange> changes;
  for (const auto& instance : TRY(each_once(scope, ids))) {
    if (instance.state == InstanceState::pending || instance.state == InstanceState::running) {
      changes.push_back({instance.id, instance.state, instance.state});
      continue;
    }
    if (instance.state != InstanceState::stopped) return fail(wrong_state(instance, "started"));
    TRY_VOID(start_one(scope, instance));
    changes.push_back({instance.id, instance.state, InstanceState::pending});
  }
  return changes;
}

Result<std::vector<StateChange>> stop(Scope& scope, const std::vector<InstanceId>& ids, Stop how) {
  std::vector<StateChange> changes;
  for (const auto& instance : TRY(each_once(scope, ids))) {
    if (instance.spec.protect_stop)
      return fail(
          Code::operation_not_permitted,
          fmt::format("The instance '{}' may not be stopped. Modify its 'disableApiStop' instance attribute and "
                      "try again.",
                      instance.id.str()));
    if (instance.state == InstanceState::stopped) {
      changes.push_back({instance.id, instance.state, instance.state});
      continue;
    }
    if (instance.state != InstanceState::running && instance.state != InstanceState::stopping)
      return fail(wrong_state(instance, "stopped"));
    stop_one(scope, instance, how);
    changes.push_back({instance.id, instance.state, InstanceState::stopping});
  }
  return changes;
}

Result<void> reboot(Scope& scope, const std::vector<InstanceId>& ids) {
  for (const auto& instance : TRY(each_once(scope, ids))) {
    if (instance.state != InstanceState::running) return fail(wrong_state(instance, "rebooted"));
    scope.tx.execute("UPDATE instance SET reboot_number = reboot_number + 1 WHERE id = ? AND account = ?", instance.id,
                     scope.account);
    auto after = instance;
    ++after.reboot_number;
    scope.record(instance.id.str(), journal_of(instance), journal_of(after));
    scope.touch(DocumentKind::instance, instance.id.str());
  }
  return {};
}

Result<std::vector<StateChange>> terminate(Scope& scope, const std::vector<InstanceId>& ids) {
  std::vector<StateChange> changes;
  for (const auto& instance : TRY(each_once(scope, ids))) {
    if (!is_alive(instance.state)) {
      changes.push_back({instance.id, instance.state, instance.state});
      continue;
    }
    if (instance.spec.protect_termination)
      return fail(Code::operation_not_permitted,
                  fmt::format("The instance '{}' may not be terminated. Modify its 'disableApiTermination' instance "
                              "attribute and try again.",
                              instance.id.str()));
    enter(scope, instance, InstanceState::shutting_down, Power::stopped, by_user(scope.now, "Shutdown"));
    changes.push_back({instance.id, instance.state, InstanceState::shutting_down});
  }
  return changes;
}

namespace {

constexpr std::string_view guest_ended_code = "Client.InstanceInitiatedShutdown";
constexpr std::string_view internal_code = "Server.InternalError";

Reason why_it_ended(ExitReason reason) {
  switch (reason) {
    case ExitReason::guest_crashed:
      return {std::string(internal_code), "Server.InternalError: The guest's operating system crashed.",
              "Server.InternalError"};
    case ExitReason::process_killed:
      return {std::string(internal_code), "Server.InternalError: The virtual machine ended unexpectedly.",
              "Server.InternalError"};
    case ExitReason::none:
    case ExitReason::guest_shutdown:
      break;
  }
  return {std::string(guest_ended_code), "Client.InstanceInitiatedShutdown: Instance initiated shutdown", ""};
}

void ended_by_itself(Scope& scope, const Instance& instance, ExitReason how) {
  const auto reason = why_it_ended(how);
  if (reason.code == guest_ended_code && instance.spec.shutdown_behavior == ShutdownBehavior::terminate) {
    enter(scope, instance, InstanceState::shutting_down, Power::stopped, reason);
    return;
  }
  free_capacity(scope, instance);
  enter(scope, instance, InstanceState::stopped, Power::stopped, reason);
}

/// The host tries again by itself; EC2's clients, who wait for `running`, are told after the deadline.
void start_failed(Scope& scope, const Instance& instance, const std::string& problem) {
  scope.tx.execute(
      "UPDATE instance SET problem = ?, failing_start = start_number,"
      " failing_since_ms = CASE WHEN failing_start = start_number THEN failing_since_ms ELSE ? END"
      " WHERE id = ? AND account = ?",
      problem, scope.now, instance.id, scope.account);
  const Time since{scope.tx.number("SELECT failing_since_ms FROM instance WHERE id = ? AND account = ?", instance.id,
                                   scope.account)};
  if (scope.now - since < launch_deadline) return;
  const Reason reason{std::string(internal_code), "Server.InternalError: Internal error on launch",
                      "Server.InternalError"};
  if (instance.start_number == 1) {
    enter(scope, instance, InstanceState::shutting_down, Power::stopped, reason);
    return;
  }
  free_capacity(scope, instance);
  enter(scope, instance, InstanceState::stopped, Power::stopped, reason);
}

Instance reread(Scope& scope, const Instance& instance) {
  const auto now = instances::find_anywhere(scope.tx, instance.id);
  VIRGA_ASSERT(now.has_value());
  return *now;
}

void observe_pending(Scope& scope, const Instance& instance, const ObservedInstance& observed) {
  if (observed.state == GuestState::failed) return start_failed(scope, instance, observed.problem);
  const bool ran = observed.state == GuestState::running || observed.state == GuestState::exited;
  if (!ran) return;
  enter(scope, instance, InstanceState::running, Power::running, {});
  // A guest may have been up and off again between two looks.
  if (observed.state == GuestState::exited) ended_by_itself(scope, reread(scope, instance), observed.exit_reason);
}

}  // namespace

void observe(Scope& scope, const Instance& instance, const ObservedInstance& observed) {
  if (observed.start_number != instance.start_number) return;  // speaks of an earlier life
  switch (instance.state) {
    case InstanceState::pending:
      return observe_pending(scope, instance, observed);
    case InstanceState::running:
      // One that is held is off because it was told to.
      if (observed.state == GuestState::exited && instance.image_hold.empty())
        ended_by_itself(scope, instance, observed.exit_reason);
      return;
    case InstanceState::stopping:
      if (observed.state != GuestState::stopped && observed.state != GuestState::exited) return;
      free_capacity(scope, instance);
      return enter(scope, instance, InstanceState::stopped, Power::stopped,
                   {instance.reason_code, instance.reason_message, instance.transition_reason});
    case InstanceState::stopped:
    case InstanceState::shutting_down:
    case InstanceState::terminated:
      return;
  }
}

void hold(Scope& scope, const Instance& instance, const ImageId& image) {
  scope.tx.execute("UPDATE instance SET image_hold = ? WHERE id = ? AND account = ?", image, instance.id,
                   scope.account);
  auto after = instance;
  after.image_hold = image;
  scope.record(instance.id.str(), journal_of(instance), journal_of(after));
  scope.touch(DocumentKind::instance, instance.id.str());
}

void end_hold(Scope& scope, const Instance& instance) {
  auto after = instance;
  after.image_hold = {};
  // A start that was asked for meanwhile has a number of its own already.
  if (instance.state == InstanceState::running) ++after.start_number;
  scope.tx.execute("UPDATE instance SET image_hold = NULL, start_number = ? WHERE id = ? AND account = ?",
                   after.start_number, instance.id, scope.account);
  scope.record(instance.id.str(), journal_of(instance), journal_of(after));
  scope.touch(DocumentKind::instance, instance.id.str());
}

void gone(Scope& scope, const Instance& instance) {
  if (instance.state != InstanceState::shutting_down) return;
  free_capacity(scope, instance);
  quota::release(scope, quota::Name::instances);
  enter(scope, instance, InstanceState::terminated, Power::stopped,
        {instance.reason_code, instance.reason_message, instance.transition_reason});
  scope.tx.execute("UPDATE instance SET ended_ms = ? WHERE id = ? AND account = ?", scope.now, instance.id,
                   scope.account);
}

bool told_to_host(store::Transaction& tx, const Instance& instance) {
  return tx.exists("SELECT 1 FROM wanted WHERE host = ? AND kind = 'instance' AND id = ?", instance.spec.host,
                   instance.id);
}

bool is_current(store::Transaction& tx, const Instance& instance, std::uint64_t generation) {
  if (tx.exists("SELECT 1 FROM outbox WHERE kind = 'instance' AND id = ?", instance.id)) return false;
  const auto wanted = tx.number("SELECT generation FROM wanted WHERE host = ? AND kind = 'instance' AND id = ?",
                                instance.spec.host, instance.id);
  return generation >= static_cast<std::uint64_t>(wanted);
}

}  // namespace virga::compute::lifecycle
