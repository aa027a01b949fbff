"""What the user of a kubeconfig must be allowed to do for a stack, what is missing of it, and roles that grant it."""
