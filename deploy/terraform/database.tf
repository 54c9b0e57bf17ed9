# PostgreSQL, for the nodes of the servers alone. A node that is replaced has another address: apply again.
resource "linode_database_postgresql_v2" "this" {
  label        = var.name
  region       = var.region
  engine_id    = "postgresql/16"
  type         = var.database_type
  cluster_size = var.database_nodes
  allow_list   = [for node in data.linode_instances.servers.instances : "${node.ip_address}/32"]

  updates = {
    frequency   = "weekly"
    day_of_week = 7
    hour_of_day = 3
    duration    = 4
  }

  lifecycle {
    prevent_destroy = true
  }
}
