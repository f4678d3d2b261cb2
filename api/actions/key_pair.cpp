#include <set>

#include "api/action.h"
#include "api/workflows/tag_specifications.h"
#include "compute/key_pairs.h"
#include "ec2/op/CreateKeyPair.h"
#include "ec2/op/DeleteKeyPair.h"
#include "ec2/op/DescribeKeyPairs.h"
#include "ec2/op/ImportKeyPair.h"

namespace virga::api {

namespace {

namespace key_pairs = compute::key_pairs;

Result<ec2::ImportKeyPairResult> import_key_pair(Call& call, const ec2::ImportKeyPairRequest& request) {
  const auto tags = TRY(tags_for(request.tag_specifications, KeyPairId::resource_type));
  const auto key = TRY(compute::parse_public_key(request.public_key_material.value_or(ec2::Blob{}).bytes));
  const auto pair = TRY(key_pairs::add(call.scope(), request.key_name.value_or(""), key));
  TRY_VOID(tags::put(call.scope(), pair.id.str(), tags));
  return ec2::ImportKeyPairResult{pair.fingerprint, pair.name, pair.id.str(), to_ec2(tags)};
}

/// An RSA key takes long enough to compute for all other changes to feel it.
Result<compute::CreatedKey> make_key(const ec2::CreateKeyPairRequest& request) {
  const auto name = request.key_name.value_or("");
  TRY_VOID(key_pairs::check_name(name));
  const auto type = request.key_type.value_or("rsa") == "rsa" ? compute::KeyType::rsa : compute::KeyType::ed25519;
  const auto format = request.key_format.value_or("pem") == "pem" ? compute::KeyFormat::pem : compute::KeyFormat::ppk;
  return compute::create_key(type, format, name);
}

Result<ec2::KeyPair> create_key_pair(Call& call, const ec2::CreateKeyPairRequest& request) {
  const auto tags = TRY(tags_for(request.tag_specifications, KeyPairId::resource_type));
  // A DryRun has no key; whether there may be one of that name does not depend on it.
  static const compute::CreatedKey none;
  const auto* prepared = call.prepared<compute::CreatedKey>();
  const auto& made = prepared == nullptr ? none : *prepared;
  const auto pair = TRY(key_pairs::add(call.scope(), request.key_name.value_or(""), made.public_key));
  TRY_VOID(tags::put(call.scope(), pair.id.str(), tags));
  return ec2::KeyPair{pair.id.str(), to_ec2(tags), pair.name, pair.fingerprint, made.private_key};
}

/// All that were asked for by name and id must exist.
Result<std::set<KeyPairId>> named(Scope& scope, const ec2::DescribeKeyPairsRequest& request) {
  std::set<KeyPairId> wanted;
  for (const auto& name : request.key_names) wanted.insert(TRY(key_pairs::find(scope, name)).id);
  for (const auto& text : request.key_pair_ids) {
    const auto id = TRY(KeyPairId::parse(text));
    wanted.insert(TRY(key_pairs::find(scope, id)).id);
  }
  return wanted;
}

Result<ec2::DescribeKeyPairsResult> describe_key_pairs(Call& call, const ec2::DescribeKeyPairsRequest& request) {
  const auto wanted = TRY(named(call.scope(), request));
  const bool all = request.key_names.empty() && request.key_pair_ids.empty();
  auto page = call.listing<ec2::KeyPairInfo>();
  for (const auto& pair : key_pairs::list(call.scope())) {
    if (!all && !wanted.contains(pair.id)) continue;
    ec2::KeyPairInfo view;
    view.key_pair_id = pair.id.str();
    view.key_name = pair.name;
    view.key_fingerprint = pair.fingerprint;
    view.key_type = std::string(compute::to_string(pair.type));
    view.create_time = pair.created;
    view.tags = to_ec2(tags::of(call.scope(), pair.id.str()));
    if (request.include_public_key.value_or(false)) view.public_key = pair.public_key;
    if (!page.offer(pair.id.str(), std::move(view))) break;
  }
  return ec2::DescribeKeyPairsResult{page.take()};
}

/// Deleting what is not there succeeds, as on EC2.
Result<ec2::DeleteKeyPairResult> delete_key_pair(Call& call, const ec2::DeleteKeyPairRequest& request) {
  if (request.key_name.has_value() == request.key_pair_id.has_value())
    return fail(request.key_name ? Code::invalid_parameter_combination : Code::missing_parameter,
                "The request must contain either the parameter KeyName or the parameter KeyPairId");
  auto& scope = call.scope();
  Result<compute::KeyPair> pair = fail(Code::invalid_key_pair_not_found, "");
  if (request.key_name) {
    pair = key_pairs::find(scope, *request.key_name);
  } else {
    const auto id = TRY(KeyPairId::parse(*request.key_pair_id));
    pair = key_pairs::find(scope, id);
  }
  if (!pair) return ec2::DeleteKeyPairResult{true, std::nullopt};
  key_pairs::remove(scope, *pair);
  return ec2::DeleteKeyPairResult{true, pair->id.str()};
}

}  // namespace

std::vector<Action> key_pair_actions() {
  return {action("ImportKeyPair", Access::write, &import_key_pair),
          action("CreateKeyPair", Access::write, &create_key_pair, {.prepare = prepare_with(&make_key)}),
          action("DescribeKeyPairs", Access::read, &describe_key_pairs),
          action("DeleteKeyPair", Access::write, &delete_key_pair)};
}

}  // namespace virga::api
