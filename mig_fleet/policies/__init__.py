"""The rules that a fleet must keep, shared by the components, the policy pack and the command line. Pure."""
