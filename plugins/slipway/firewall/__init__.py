"""Who may reach an endpoint: security groups kept equal to what the model file declares.

Belongs here: ingress rules that carry our tag. Does not: any rule that Slipway did not make.
"""
