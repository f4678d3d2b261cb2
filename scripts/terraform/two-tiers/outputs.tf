output "web_addresses" {
  value = aws_eip.web[*].public_ip
}

output "database_ip" {
  value = aws_instance.database.private_ip
}
