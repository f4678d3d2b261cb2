"""Everything an account has, for "as before"."""

# Describe action, the list in its answer.
LISTS = (("describe_vpcs", "Vpcs"), ("describe_subnets", "Subnets"), ("describe_route_tables", "RouteTables"),
         ("describe_internet_gateways", "InternetGateways"), ("describe_security_groups", "SecurityGroups"),
         ("describe_security_group_rules", "SecurityGroupRules"), ("describe_network_acls", "NetworkAcls"),
         ("describe_dhcp_options", "DhcpOptions"), ("describe_network_interfaces", "NetworkInterfaces"),
         ("describe_key_pairs", "KeyPairs"), ("describe_volumes", "Volumes"), ("describe_images", "Images"),
         ("describe_addresses", "Addresses"), ("describe_snapshots", "Snapshots"))


def account_dump(ec2):
    """List name -> its items, sorted. Terminated instances and their tags are seen for an hour and do not count."""
    found = {}
    for method, name in LISTS:
        call = ec2.get_paginator(method).paginate() if ec2.can_paginate(method) else [getattr(ec2, method)()]
        found[name] = sorted((item for page in call for item in page[name]), key=repr)
    for image in found["Images"]:
        image.pop("LastLaunchedTime", None)
    found["Instances"] = [i["InstanceId"] for page in ec2.get_paginator("describe_instances").paginate()
                          for r in page["Reservations"] for i in r["Instances"] if i["State"]["Name"] != "terminated"]
    found["Tags"] = [t for page in ec2.get_paginator("describe_tags").paginate() for t in page["Tags"]
                     if t["ResourceType"] != "instance"]
    return found
