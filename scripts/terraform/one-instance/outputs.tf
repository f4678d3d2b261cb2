output "instance_id" {
  value = aws_instance.guest.id
}

output "private_ip" {
  value = aws_instance.guest.private_ip
}
