terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

resource "aws_vpc" "this" {
  cidr_block = var.cidr
  tags       = { Name = var.name }
}

resource "aws_subnet" "this" {
  vpc_id     = aws_vpc.this.id
  cidr_block = cidrsubnet(var.cidr, 8, 0)
  tags       = { Name = var.name }
}

resource "aws_security_group" "this" {
  name        = var.name
  description = "Open ports of ${var.name}"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "open" {
  for_each = toset([for port in var.ports : tostring(port)])

  security_group_id = aws_security_group.this.id
  cidr_ipv4         = var.cidr
  ip_protocol       = "tcp"
  from_port         = tonumber(each.key)
  to_port           = tonumber(each.key)
}

resource "aws_instance" "server" {
  count = var.servers

  ami                    = var.image
  instance_type          = var.instance_type
  subnet_id              = aws_subnet.this.id
  vpc_security_group_ids = [aws_security_group.this.id]
  tags                   = { Name = "${var.name}-${count.index}" }
}

output "addresses" {
  value = aws_instance.server[*].private_ip
}
