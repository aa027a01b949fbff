"""What NVIDIA's DRA driver has published, and which pod has which device; read only where a stack uses DRA."""
