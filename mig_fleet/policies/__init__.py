"""The rules that a stack must keep, shared by the components, the policy pack and the command line. Pure."""
