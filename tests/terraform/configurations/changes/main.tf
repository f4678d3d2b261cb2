# Everything that can be changed in place, each by a variable.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {}

data "aws_ami" "guest" {
  filter {
    name   = "name"
    values = ["tiny"]
  }
}

resource "aws_vpc" "this" {
  cidr_block           = "10.60.0.0/16"
  enable_dns_hostnames = var.dns_hostnames
  tags                 = var.tags

  enable_network_address_usage_metrics = var.after
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = var.tags
}

resource "aws_subnet" "this" {
  vpc_id                  = aws_vpc.this.id
  cidr_block              = "10.60.${var.subnet}.0/24"
  map_public_ip_on_launch = var.public
  tags                    = var.tags
}

resource "aws_route_table" "one" {
  vpc_id = aws_vpc.this.id
  tags   = var.tags
}

resource "aws_route_table" "two" {
  vpc_id = aws_vpc.this.id
}

resource "aws_route" "out" {
  route_table_id         = aws_route_table.one.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "this" {
  subnet_id      = aws_subnet.this.id
  route_table_id = var.public ? aws_route_table.one.id : aws_route_table.two.id
}

resource "aws_security_group" "one" {
  name_prefix = "one-"
  description = var.description
  vpc_id      = aws_vpc.this.id
  tags        = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "one" {
  security_group_id = aws_security_group.one.id
  cidr_ipv4         = "10.60.0.0/16"
  description       = "port ${var.port}"
  ip_protocol       = "tcp"
  from_port         = var.port
  to_port           = var.port
  tags              = var.tags
}

resource "aws_security_group" "two" {
  name   = "two"
  vpc_id = aws_vpc.this.id

  dynamic "ingress" {
    for_each = var.inline_ports
    content {
      description = "inline ${ingress.value}"
      protocol    = "tcp"
      from_port   = ingress.value
      to_port     = ingress.value
      cidr_blocks = ["10.0.0.0/8"]
    }
  }
}

# A rule as a resource, the oldest way.
resource "aws_security_group" "three" {
  name   = "three"
  vpc_id = aws_vpc.this.id
}

resource "aws_security_group_rule" "three" {
  security_group_id = aws_security_group.three.id
  type              = "egress"
  description       = "rule for ${var.port}"
  protocol          = "udp"
  from_port         = 53
  to_port           = 53
  cidr_blocks       = ["0.0.0.0/0"]
}

# Terraform changes one thing of an instance after the other and waits between: three have them side by side.
resource "aws_instance" "this" {
  ami                     = data.aws_ami.guest.id
  instance_type           = var.instance_type
  subnet_id               = aws_subnet.this.id
  vpc_security_group_ids  = concat([aws_security_group.one.id], var.both_groups ? [aws_security_group.two.id] : [])
  source_dest_check       = var.source_dest_check
  disable_api_termination = var.protected
  disable_api_stop        = false
  tags                    = var.tags

  instance_initiated_shutdown_behavior = var.shutdown_behavior
}

resource "aws_instance" "other" {
  ami              = data.aws_ami.guest.id
  instance_type    = "t3.nano"
  subnet_id        = aws_subnet.this.id
  key_name         = aws_key_pair.this.key_name
  user_data        = var.user_data
  monitoring       = var.monitoring
  disable_api_stop = false

  metadata_options {
    http_tokens                 = var.tokens
    http_put_response_hop_limit = var.after ? 2 : 1
    instance_metadata_tags      = var.after ? "enabled" : "disabled"
  }

  maintenance_options {
    auto_recovery = var.after ? "disabled" : "default"
  }

  # What is attached beside goes its own way.
  lifecycle {
    ignore_changes = [ebs_block_device]
  }
}

resource "aws_key_pair" "this" {
  key_name   = "changes"
  public_key = var.public_key
  tags       = var.tags
}

resource "aws_instance" "third" {
  ami           = data.aws_ami.guest.id
  instance_type = "t2.nano"
  subnet_id     = aws_subnet.this.id

  root_block_device {
    delete_on_termination = true
    volume_size           = var.root_gib
    tags                  = var.tags
  }

  credit_specification {
    cpu_credits = var.after ? "unlimited" : "standard"
  }
}

resource "aws_ebs_volume" "this" {
  availability_zone = aws_subnet.this.availability_zone
  size              = var.volume_gib
  type              = var.after ? "gp3" : "gp2"
  iops              = var.after ? 4000 : null
  throughput        = var.after ? 250 : null
  tags              = var.tags
}

resource "aws_ebs_volume" "attached" {
  availability_zone = aws_subnet.this.availability_zone
  size              = 1
}

resource "aws_volume_attachment" "this" {
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.attached.id
  instance_id = aws_instance.other.id
}

resource "aws_eip" "this" {
  domain = "vpc"
  tags   = var.tags

  depends_on = [aws_internet_gateway.this]
}

resource "aws_eip" "third" {
  domain = "vpc"
}

resource "aws_eip_association" "third" {
  allocation_id = aws_eip.third.id
  instance_id   = aws_instance.third.id

  depends_on = [aws_internet_gateway.this]
}

output "facts" {
  value = {
    vpc      = aws_vpc.this.id
    subnet   = aws_subnet.this.id
    one      = aws_security_group.one.id
    two      = aws_security_group.two.id
    rule     = aws_vpc_security_group_ingress_rule.one.security_group_rule_id
    table    = aws_route_table.one.id
    instance = aws_instance.this.id
    other    = aws_instance.other.id
    third    = aws_instance.third.id
    volume   = aws_ebs_volume.this.id
    address  = aws_eip.this.id
    attached = aws_ebs_volume.attached.id
    placed   = aws_eip_association.third.id
    gateway  = aws_internet_gateway.this.id
    key      = aws_key_pair.this.key_name
  }
}
