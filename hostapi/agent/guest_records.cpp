#include "hostapi/agent/guest_records.h"

#include "core/json_values.h"

#include "core/durable_file.h"
#include "hostapi/wire.h"

namespace virga::hostapi {

VIRGA_JSON_DEFINE(GuestRecord, start_number, reboot_number, boot_id, exited, exit_reason)

Result<std::unique_ptr<GuestRecords>> GuestRecords::open(std::filesystem::path directory) {
  std::unique_ptr<GuestRecords> records(new GuestRecords(std::move(directory)));
  std::error_code error;
  std::filesystem::create_directories(records->directory_, error);
  if (error) return fail(internal_error("create " + records->directory_.string() + ": " + error.message()));
  for (const auto& file : std::filesystem::directory_iterator(records->directory_)) {
    const auto id = InstanceId::parse(file.path().stem().string());
    if (file.path().extension() != ".json" || !id) continue;
    const auto text = read_file(file.path());
    const auto json = text ? parse_json(*text) : Result<nlohmann::json>(fail(text.error()));
    auto record = json ? decode<GuestRecord>(*json) : Result<GuestRecord>(fail(json.error()));
    if (record) {
      records->records_[*id] = std::move(*record);
    } else {
      records->damaged_[id->str()] = describe(record.error());
    }
  }
  return records;
}

GuestRecord GuestRecords::find(const InstanceId& id) const {
  const auto found = records_.find(id);
  return found == records_.end() ? GuestRecord{} : found->second;
}

Result<void> GuestRecords::write(const InstanceId& id, const GuestRecord& record) {
  if (const auto found = records_.find(id); found != records_.end() && found->second == record) return {};
  TRY_VOID(replace_file(file_of(id), nlohmann::json(record).dump()));
  records_[id] = record;
  damaged_.erase(id.str());
  return {};
}

Result<void> GuestRecords::forget(const InstanceId& id) {
  TRY_VOID(remove_file(file_of(id)));
  records_.erase(id);
  damaged_.erase(id.str());
  return {};
}

}  // namespace virga::hostapi
