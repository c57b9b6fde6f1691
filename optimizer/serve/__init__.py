"""An interactive what-if in the browser: a page with levers, and a small server that solves port choice for it."""
