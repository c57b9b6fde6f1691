"""How shippers choose among alternatives: logit models, their estimation from observed shares, and simulated draws."""
