output "kubeconfig" {
  description = "For kubectl. Save it: terraform output -raw kubeconfig > kubeconfig"
  value       = base64decode(linode_lke_cluster.this.kubeconfig)
  sensitive   = true
}

output "database_url" {
  description = "HANGAR_DATABASE_URL."
  value = format(
    "postgresql://%s:%s@%s:%d/defaultdb?sslmode=require",
    linode_database_postgresql_v2.this.root_username,
    urlencode(linode_database_postgresql_v2.this.root_password),
    linode_database_postgresql_v2.this.host_primary,
    linode_database_postgresql_v2.this.port,
  )
  sensitive = true
}

output "blob_url" {
  description = "HANGAR_BLOB_URL."
  value = format(
    "s3://%s/blobs?endpoint=https://%s&region=%s",
    linode_object_storage_bucket.this.label,
    one([for region in linode_object_storage_key.this.regions_details : region.s3_endpoint if region.id == var.region]),
    var.region,
  )
}

output "access_key" {
  description = "AWS_ACCESS_KEY_ID."
  value       = linode_object_storage_key.this.access_key
}

output "secret_key" {
  description = "AWS_SECRET_ACCESS_KEY."
  value       = linode_object_storage_key.this.secret_key
  sensitive   = true
}
