# The resources that take over what is there already, and those that change one thing of another resource.

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

resource "aws_default_vpc" "this" {
  tags = { Name = "default" }
}

resource "aws_default_subnet" "this" {
  availability_zone       = "us-east-1a"
  map_public_ip_on_launch = false
  tags                    = { Name = "default" }
}

# Without tags: this one gives them at the second apply only, wherever it runs.
resource "aws_default_vpc_dhcp_options" "this" {}

resource "aws_vpc" "this" {
  cidr_block = "10.90.0.0/16"
}

resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  ingress {
    protocol  = "tcp"
    from_port = 22
    to_port   = 22
    self      = true
  }
}

resource "aws_internet_gateway" "this" {}

resource "aws_internet_gateway_attachment" "this" {
  internet_gateway_id = aws_internet_gateway.this.id
  vpc_id              = aws_vpc.this.id
}

resource "aws_default_route_table" "this" {
  default_route_table_id = aws_vpc.this.default_route_table_id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway_attachment.this.internet_gateway_id
  }
}

resource "aws_subnet" "this" {
  vpc_id     = aws_vpc.this.id
  cidr_block = "10.90.1.0/24"
}

resource "aws_security_group" "this" {
  name   = "more"
  vpc_id = aws_vpc.this.id
}

resource "aws_security_group_rule" "from_group" {
  security_group_id        = aws_security_group.this.id
  type                     = "ingress"
  protocol                 = "tcp"
  from_port                = 80
  to_port                  = 80
  source_security_group_id = aws_default_security_group.this.id
}

resource "aws_security_group_rule" "to_all" {
  security_group_id = aws_security_group.this.id
  type              = "egress"
  protocol          = "udp"
  from_port         = 53
  to_port           = 53
  cidr_blocks       = ["0.0.0.0/0"]
}

resource "aws_instance" "this" {
  ami           = data.aws_ami.guest.id
  instance_type = "t3.nano"
  subnet_id     = aws_subnet.this.id

  lifecycle {
    ignore_changes = [tags, vpc_security_group_ids]
  }
}

resource "aws_network_interface_sg_attachment" "this" {
  security_group_id    = aws_security_group.this.id
  network_interface_id = aws_instance.this.primary_network_interface_id
}

resource "aws_ec2_tag" "this" {
  resource_id = aws_instance.this.id
  key         = "Added"
  value       = var.added
}

resource "aws_ec2_instance_state" "this" {
  instance_id = aws_instance.this.id
  state       = var.state

  depends_on = [aws_network_interface_sg_attachment.this]
}

# The main table of a VPC of its own is changed, and changed back at the end.
resource "aws_vpc" "other" {
  cidr_block = "10.91.0.0/16"
}

resource "aws_route_table" "other" {
  vpc_id = aws_vpc.other.id
}

resource "aws_main_route_table_association" "other" {
  vpc_id         = aws_vpc.other.id
  route_table_id = aws_route_table.other.id
}

variable "added" {
  type    = string
  default = "one"
}

variable "state" {
  type    = string
  default = "running"
}

output "facts" {
  value = {
    instance = aws_instance.this.id
    group    = aws_security_group.this.id
    other    = aws_vpc.other.id
    table    = aws_route_table.other.id
    subnet   = aws_default_subnet.this.id
  }
}
