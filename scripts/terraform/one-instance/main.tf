# One instance in the account's default VPC, reached by SSH.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

provider "aws" {}

data "aws_vpc" "default" {
  default = true
}

data "aws_subnets" "default" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default.id]
  }
}

data "aws_ami" "guest" {
  filter {
    name   = "name"
    values = [var.image_name]
  }
}

resource "aws_key_pair" "me" {
  key_name   = var.name
  public_key = var.public_key
}

resource "aws_security_group" "ssh" {
  name        = var.name
  description = "SSH from where it is allowed"
  vpc_id      = data.aws_vpc.default.id
  tags        = { Name = var.name }
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  security_group_id = aws_security_group.ssh.id
  description       = "SSH"
  cidr_ipv4         = var.ssh_from
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.ssh.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_instance" "guest" {
  ami                    = data.aws_ami.guest.id
  instance_type          = var.instance_type
  subnet_id              = sort(data.aws_subnets.default.ids)[0]
  key_name               = aws_key_pair.me.key_name
  vpc_security_group_ids = [aws_security_group.ssh.id]

  metadata_options {
    http_tokens = "required"
  }

  tags = { Name = var.name }
}
