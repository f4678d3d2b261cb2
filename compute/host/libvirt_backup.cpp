#include "compute/host/libvirt_backup.h"

#include <memory>
#include <string_view>

#include "compute/host/domain_xml.h"

namespace virga::compute {
namespace {

/// What libvirt tells of a job.
struct Job {
  int type = VIR_DOMAIN_JOB_NONE;
  int operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
  unsigned long long total = 0;
  unsigned long long processed = 0;
};

bool has_gone_off() {
  return last_libvirt_code() == VIR_ERR_OPERATION_INVALID || last_libvirt_code() == VIR_ERR_NO_DOMAIN;
}

/// With flags 0 of the job that runs, else of the last one that ended.
Result<Job> job_of(virDomainPtr domain, unsigned flags) {
  Job job;
  virTypedParameterPtr parameters = nullptr;
  int count = 0;
  if (virDomainGetJobStats(domain, &job.type, &parameters, &count, flags) < 0) {
    if (has_gone_off()) return Job{};
    return fail(last_libvirt_error("job"));
  }
  virTypedParamsGetInt(parameters, count, VIR_DOMAIN_JOB_OPERATION, &job.operation);
  virTypedParamsGetULLong(parameters, count, VIR_DOMAIN_JOB_DISK_TOTAL, &job.total);
  virTypedParamsGetULLong(parameters, count, VIR_DOMAIN_JOB_DISK_PROCESSED, &job.processed);
  virTypedParamsFree(parameters, count);
  return job;
}

bool is_backup(const Job& job) { return job.operation == VIR_DOMAIN_JOB_OPERATION_BACKUP; }

Result<std::string> xml_of(virDomainPtr domain) {
  const LibvirtString xml(virDomainGetXMLDesc(domain, 0));
  if (xml.text == nullptr) return fail(last_libvirt_error("describe"));
  return std::string(xml.text);
}

}  // namespace

Result<void> begin_backup(virDomainPtr domain, const VolumeId& volume, const std::string& target) {
  if (virDomainIsActive(domain) != 1)
    return fail(Code::incorrect_state, "The instance is not running", "backup: domain is off");
  const auto running = TRY(job_of(domain, 0));
  if (running.type != VIR_DOMAIN_JOB_NONE) {
    TRY_VOID(cancel_backup(domain));
    return fail(Code::unavailable, "An earlier copy of a volume of the instance is being cancelled.");
  }
  const auto description = TRY(xml_of(domain));
  const auto xml = TRY(backup_xml(description, volume, target));
  // What is remembered of an earlier job must not be taken for the end of this one: reading it makes libvirt forget it.
  TRY(job_of(domain, VIR_DOMAIN_JOB_STATS_COMPLETED));
  if (virDomainBackupBegin(domain, xml.c_str(), nullptr, VIR_DOMAIN_BACKUP_BEGIN_REUSE_EXTERNAL) < 0)
    return fail(last_libvirt_error("copy " + volume.str()));
  return {};
}

Result<DiskBackup> backup_state(virDomainPtr domain) {
  using State = DiskBackup::State;
  const auto running = TRY(job_of(domain, 0));
  if (running.type != VIR_DOMAIN_JOB_NONE) {
    if (!is_backup(running)) return DiskBackup{};
    return DiskBackup{.state = State::running, .done_bytes = running.processed, .total_bytes = running.total};
  }
  const auto ended = TRY(job_of(domain, VIR_DOMAIN_JOB_STATS_COMPLETED | VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED));
  if (ended.type == VIR_DOMAIN_JOB_NONE || !is_backup(ended)) return DiskBackup{};
  return DiskBackup{.state = ended.type == VIR_DOMAIN_JOB_COMPLETED ? State::finished : State::failed};
}

Result<void> cancel_backup(virDomainPtr domain) {
  if (virDomainAbortJob(domain) < 0 && !has_gone_off()) return fail(last_libvirt_error("cancel a copy"));
  return {};
}

}  // namespace virga::compute
