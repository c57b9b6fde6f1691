"""Rules that the verifiers of several families check alike; imports nothing of the models or the network."""
