#pragma once

// Instances as EC2's answers show them.

#include <map>
#include <vector>

#include "api/call.h"
#include "compute/instances.h"
#include "ec2/shape/Instance.h"
#include "ec2/shape/InstanceState.h"
#include "ec2/shape/Reservation.h"
#include "network/interfaces.h"
#include "storage/volumes.h"

namespace virga::api {

/// What hangs on instances of the account: read one by one for a few of them, with one query each kind for many.
class InstanceSurroundings {
 public:
  InstanceSurroundings(Scope& scope, const std::vector<compute::Instance>& instances);
  const std::vector<network::Interface>& interfaces(const InstanceId& id) const;
  const std::vector<storage::Attachment>& attachments(const InstanceId& id) const;
  /// Of an instance or one of its interfaces.
  const tags::Tags& tags(const std::string& id) const;

 private:
  void read_each(Scope& scope, const std::vector<compute::Instance>& instances);
  void read_all(Scope& scope);

  std::map<InstanceId, std::vector<network::Interface>> interfaces_;
  std::map<InstanceId, std::vector<storage::Attachment>> attachments_;
  std::map<std::string, tags::Tags, std::less<>> tags_;
};

ec2::InstanceState to_ec2(compute::InstanceState state);
ec2::Instance to_ec2(const compute::Instance& instance, const InstanceSurroundings& around, const Config& config);
/// What filters of DescribeInstances look at though no answer shows it: more about the instance's interfaces.
Hidden hidden_of(const compute::Instance& instance, const InstanceSurroundings& around);
/// A reservation with this one instance in it.
ec2::Reservation reservation_of(const compute::Instance& instance, const InstanceSurroundings& around,
                                const Config& config);
/// Instances of one reservation come together, in the order in which reservations first appear.
std::vector<ec2::Reservation> merge_reservations(std::vector<ec2::Reservation> single);

}  // namespace virga::api
