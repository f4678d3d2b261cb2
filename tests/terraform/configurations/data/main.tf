# Every data source that reads what Virga serves, of the default VPC, of the catalogue and of a few resources.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {}

data "aws_caller_identity" "me" {}

data "aws_region" "here" {}

data "aws_regions" "all" {}

data "aws_availability_zones" "here" {
  state = "available"
}

data "aws_availability_zone" "first" {
  name = data.aws_availability_zones.here.names[0]
}

data "aws_vpc" "default" {
  default = true
}

data "aws_vpcs" "tagged" {
  tags = aws_vpc.this.tags
}

data "aws_subnets" "default" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default.id]
  }
}

data "aws_subnet" "by_id" {
  id = data.aws_subnets.default.ids[0]
}

data "aws_subnet" "by_facts" {
  vpc_id               = data.aws_vpc.default.id
  availability_zone_id = data.aws_availability_zones.here.zone_ids[0]
  default_for_az       = true
  state                = "available"
}

data "aws_route_table" "main" {
  vpc_id = data.aws_vpc.default.id

  filter {
    name   = "association.main"
    values = ["true"]
  }
}

data "aws_route_tables" "default" {
  vpc_id = data.aws_vpc.default.id
}

data "aws_route" "out" {
  route_table_id         = data.aws_route_table.main.id
  destination_cidr_block = "0.0.0.0/0"
}

data "aws_internet_gateway" "default" {
  filter {
    name   = "attachment.vpc-id"
    values = [data.aws_vpc.default.id]
  }
}

data "aws_security_group" "default" {
  vpc_id = data.aws_vpc.default.id
  name   = "default"
}

data "aws_security_groups" "default" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default.id]
  }
}

data "aws_vpc_security_group_rules" "default" {
  filter {
    name   = "group-id"
    values = [data.aws_security_group.default.id]
  }
}

data "aws_vpc_security_group_rule" "one" {
  security_group_rule_id = data.aws_vpc_security_group_rules.default.ids[0]
}

data "aws_network_acls" "default" {
  vpc_id = data.aws_vpc.default.id
}

data "aws_vpc_dhcp_options" "default" {
  dhcp_options_id = data.aws_vpc.default.dhcp_options_id
}

data "aws_ami" "guest" {
  most_recent = true

  filter {
    name   = "name"
    values = ["ti*"]
  }
}

data "aws_ami_ids" "all" {
  owners = [data.aws_caller_identity.me.account_id]
}

data "aws_ec2_instance_type" "nano" {
  instance_type = "t3.nano"
}

data "aws_ec2_instance_types" "burstable" {
  filter {
    name   = "burstable-performance-supported"
    values = ["true"]
  }
}

data "aws_ec2_instance_type_offering" "preferred" {
  preferred_instance_types = ["x9.giant", "t3.micro"]
}

data "aws_ec2_instance_type_offerings" "here" {
  location_type = "availability-zone"
}

resource "aws_vpc" "this" {
  cidr_block = "10.70.0.0/16"
  tags       = { Name = "read" }
}

resource "aws_subnet" "this" {
  vpc_id     = aws_vpc.this.id
  cidr_block = "10.70.0.0/24"
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_key_pair" "this" {
  key_name   = "read"
  public_key = var.public_key
}

data "aws_key_pair" "this" {
  key_name           = aws_key_pair.this.key_name
  include_public_key = true
}

resource "aws_instance" "this" {
  ami           = data.aws_ami.guest.id
  instance_type = data.aws_ec2_instance_type.nano.instance_type
  subnet_id     = aws_subnet.this.id
}

data "aws_instance" "this" {
  instance_id = aws_instance.this.id
}

data "aws_instances" "this" {
  filter {
    name   = "subnet-id"
    values = [aws_instance.this.subnet_id]
  }
}

data "aws_network_interface" "this" {
  id = aws_instance.this.primary_network_interface_id
}

data "aws_network_interfaces" "this" {
  filter {
    name   = "attachment.instance-id"
    values = [aws_instance.this.id]
  }
}

data "aws_ebs_volume" "root" {
  filter {
    name   = "attachment.instance-id"
    values = [aws_instance.this.id]
  }
}

data "aws_ebs_volumes" "root" {
  filter {
    name   = "attachment.instance-id"
    values = [aws_instance.this.id]
  }
}

resource "aws_eip" "this" {
  domain   = "vpc"
  instance = aws_instance.this.id
  tags     = { Name = "read" }

  depends_on = [aws_internet_gateway.this]
}

data "aws_eip" "by_id" {
  id = aws_eip.this.id
}

data "aws_eip" "by_tag" {
  tags = aws_eip.this.tags
}

data "aws_eips" "all" {
  filter {
    name   = "instance-id"
    values = [aws_eip.this.instance]
  }
}

variable "public_key" {
  type = string
}

output "read" {
  value = {
    account     = data.aws_caller_identity.me.account_id
    region      = data.aws_region.here.name
    zone        = data.aws_availability_zone.first.name
    default_vpc = data.aws_vpc.default.id
    vpcs        = data.aws_vpcs.tagged.ids
    subnet      = data.aws_subnet.by_facts.id
    subnet_vpc  = data.aws_subnet.by_id.vpc_id
    gateway     = data.aws_route.out.gateway_id
    gateway_of  = data.aws_internet_gateway.default.id
    groups      = data.aws_security_groups.default.ids
    group       = data.aws_security_group.default.id
    rule_group  = data.aws_vpc_security_group_rule.one.security_group_id
    tables      = data.aws_route_tables.default.ids
    table       = data.aws_route_table.main.id
    acls        = data.aws_network_acls.default.ids
    image       = data.aws_ami.guest.id
    images      = data.aws_ami_ids.all.ids
    memory      = data.aws_ec2_instance_type.nano.memory_size
    burstable   = data.aws_ec2_instance_types.burstable.instance_types
    offering    = data.aws_ec2_instance_type_offering.preferred.instance_type
    key         = data.aws_key_pair.this.public_key
    instance    = data.aws_instance.this.id
    instances   = data.aws_instances.this.ids
    address     = data.aws_instance.this.private_ip
    interface   = data.aws_network_interface.this.private_ip
    interfaces  = data.aws_network_interfaces.this.ids
    volume      = data.aws_ebs_volume.root.id
    volumes     = data.aws_ebs_volumes.root.ids
    public      = [aws_eip.this.public_ip, data.aws_eip.by_id.public_ip, data.aws_eip.by_tag.public_ip]
    publics     = data.aws_eips.all.allocation_ids
  }
}
