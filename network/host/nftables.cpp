#include "network/host/nftables.h"

#include "core/json_values.h"

#include <nftables/libnftables.h>

#include <memory>
#include <mutex>

namespace virga::network::nft {
namespace {

struct Free {
  void operator()(nft_ctx* context) const { ::nft_ctx_free(context); }
};

Result<std::string> run_text(const std::string& commands) {
  // The library does not promise that contexts of several threads keep apart.
  static std::mutex one_at_a_time;
  std::lock_guard lock(one_at_a_time);
  std::unique_ptr<nft_ctx, Free> context(::nft_ctx_new(NFT_CTX_DEFAULT));
  if (!context) return fail(internal_error("nft: out of memory"));
  ::nft_ctx_output_set_flags(context.get(),
                             NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_NUMERIC_ALL);
  ::nft_ctx_buffer_output(context.get());
  ::nft_ctx_buffer_error(context.get());
  if (::nft_run_cmd_from_buffer(context.get(), commands.c_str()) != 0) {
    std::string why = ::nft_ctx_get_error_buffer(context.get());
    return fail(internal_error("nft: " + why.substr(0, 1000)));
  }
  return std::string(::nft_ctx_get_output_buffer(context.get()));
}

}  // namespace

Result<void> run(const nlohmann::json& commands) {
  if (commands["nftables"].empty()) return {};
  TRY(run_text(commands.dump()));
  return {};
}

Result<std::string> list_ruleset() { return run_text(R"({"nftables":[{"list":{"ruleset":null}}]})"); }

Result<nlohmann::json> list_set(const char* family, const char* table, const char* set) {
  nlohmann::json object{{"family", family}, {"table", table}, {"name", set}};
  nlohmann::json command{{"nftables", {{{"list", {{"set", std::move(object)}}}}}}};
  auto answer = nlohmann::json::parse(TRY(run_text(command.dump())), nullptr, false);
  if (answer.is_discarded()) return fail(internal_error("nft: an answer that is no JSON"));
  for (const auto& entry : answer["nftables"])
    if (entry.contains("set")) return entry["set"];
  return fail(internal_error("nft: no such set in the answer"));
}

}  // namespace virga::network::nft
